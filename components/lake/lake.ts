import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Certificates } from "../core/certificates.ts";
import { Component, type Transform } from "../core/component.ts";
import { labels, selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow, allowOut } from "../core/network.ts";
import { perConsumer } from "../core/per-consumer.ts";
import { Setup } from "../core/setup.ts";
import type { Size } from "../core/units.ts";
import { accessKeys, Bucket, type Credentials, type LakeServer } from "./bucket.ts";
import { existingDefaults, port } from "./defaults.ts";
import { planExistingLake, planLake } from "./plan.ts";
import { statefulSet } from "./stateful-set.ts";

export interface LakeArgs {
  readonly namespace: Namespace;
  /** Its disk; a tenth stays free.
   *  @default "10 GiB" */
  readonly storage?: Size;
  /** @default "512 MiB" */
  readonly memory?: Size;
  readonly transform?: {
    readonly statefulSet?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

const program = new URL("../../functions/setup/lake.main.ts", import.meta.url);

/**
 * A data lake: one SeaweedFS server that speaks S3 over TLS.
 *
 * What it acknowledged survives the end of its pod, but is not synced to disk at once: a power failure may lose seconds.
 */
export class Lake extends Component {
  readonly nodes: {
    readonly statefulSet: k8s.apps.v1.StatefulSet;
    readonly service: k8s.core.v1.Service;
  };
  readonly #server: LakeServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: LakeArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planLake(name, args);
    super("fivefold:lake:Lake", name, opts);
    const namespace = args.namespace.metadataName;
    const host = pulumi.interpolate`${name}.${namespace}.svc`;
    const metadata = { namespace, labels: labels("lake", name) };

    const certificates = new Certificates(`${name}-tls`, { hosts: [host] }, { parent: this });
    const keys = accessKeys(`${name}-administrator`, this);
    // A Secret without a fixed name: what changes gets a new name, and with it the pod starts anew.
    const files = this.child(k8s.core.v1.Secret, "server", {
      metadata,
      stringData: {
        "administrator.json": administratorOf(keys),
        "tls.crt": certificates.certificate,
        "tls.key": certificates.key,
      },
    });
    const service = this.child(
      k8s.core.v1.Service,
      "",
      { metadata: { ...metadata, name }, spec: { selector: selector("lake", name), ports: [{ name: "s3", port }] } },
      args.transform?.service,
    );
    const set = this.child(
      k8s.apps.v1.StatefulSet,
      "",
      statefulSet(name, plan, { metadata, files: files.metadata.name }),
      args.transform?.statefulSet,
    );
    const pods = { name, namespace, podLabels: selector("lake", name), port };
    const setup = new Setup(`${name}-setup`, { namespace: args.namespace, program }, { parent: this });
    const rules = allow(setup.consumer, pods);
    this.nodes = { statefulSet: set, service };
    this.#server = {
      componentName: name,
      address: {
        endpoint: pulumi.interpolate`https://${host}:${port}`,
        region: existingDefaults.region,
        ca: certificates.ca,
      },
      credentials: { ...keys, setup },
      ready: [set, service, ...rules],
      reach: perConsumer((consumer) => allow(consumer, pods)),
    };
    this.registerOutputs();
  }

  bucket(name: string): Bucket {
    return new Bucket(this.#server, name);
  }
}

function administratorOf({ accessKeyId, secretAccessKey }: Credentials): pulumi.Output<string> {
  const credentials = [{ accessKey: accessKeyId, secretKey: secretAccessKey }];
  return pulumi.jsonStringify({ identities: [{ name: "administrator", credentials, actions: ["Admin"] }] });
}

export interface ExistingLakeArgs extends Credentials {
  /** For example `https://s3.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  /** @default "us-east-1" */
  readonly region?: string;
  /** PEM of the authority that signed the server's certificate.
   *  @default - the public authorities */
  readonly ca?: pulumi.Input<string>;
}

/** An S3 server that someone else runs, with buckets that are there already. Its keys are shared by all consumers. */
export class ExistingLake {
  readonly #server: LakeServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: ExistingLakeArgs) {
    const { endpoint, region, port } = planExistingLake(name, args);
    const { accessKeyId, secretAccessKey, ca } = args;
    this.#server = {
      componentName: name,
      address: { endpoint, region, ...(ca !== undefined && { ca }) },
      credentials: { accessKeyId, secretAccessKey },
      ready: [],
      reach: perConsumer((consumer) => allowOut(consumer, name, port)),
    };
  }

  bucket(name: string): Bucket {
    return new Bucket(this.#server, name);
  }
}
