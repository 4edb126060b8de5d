import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Schema } from "../../functions/kit/schema.ts";
import type { MongoSpecification } from "../../functions/setup/mongo.ts";
import { Certificates } from "../core/certificates.ts";
import { Component, type Transform } from "../core/component.ts";
import { labels, selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow, allowOut } from "../core/network.ts";
import { perConsumer } from "../core/per-consumer.ts";
import { Setup } from "../core/setup.ts";
import type { Size } from "../core/units.ts";
import { Collection, type Credentials, type MongoServer } from "./collection.ts";
import { administrator, port, replicaSet } from "./defaults.ts";
import { planExistingMongo, planMongo } from "./plan.ts";
import { statefulSet } from "./stateful-set.ts";

export interface MongoArgs {
  readonly namespace: Namespace;
  /** Members of the replica set: 1, 3, 5 or 7. It cannot be changed later.
   *  @default 1 */
  readonly members?: number;
  /** The database that holds the collections.
   *  @default - the name of the namespace */
  readonly database?: string;
  /** Disk of each member.
   *  @default "10 GiB" */
  readonly storage?: Size;
  /** Of each member.
   *  @default "512 MiB" */
  readonly memory?: Size;
  readonly transform?: {
    readonly statefulSet?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

const program = new URL("../../functions/setup/mongo.main.ts", import.meta.url);

/** A MongoDB replica set, reached over TLS only. */
export class Mongo extends Component {
  readonly nodes: {
    readonly statefulSet: k8s.apps.v1.StatefulSet;
    readonly service: k8s.core.v1.Service;
  };
  readonly #server: MongoServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: MongoArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planMongo(name, args);
    super("fivefold:mongo:Mongo", name, opts);
    const namespace = args.namespace.metadataName;
    const members = Array.from(
      { length: plan.members },
      (_, n) => pulumi.interpolate`${name}-${n}.${name}.${namespace}.svc`,
    );
    const hosts = members.map((member) => pulumi.interpolate`${member}:${port}`);
    const metadata = { namespace, labels: labels("mongo", name) };

    const certificates = new Certificates(`${name}-tls`, { hosts: members }, { parent: this });
    const password = this.child(random.RandomPassword, "password", { length: 32, special: false }).result;
    // A Secret without a fixed name: what changes gets a new name, and with it the pods start anew.
    const files = this.child(k8s.core.v1.Secret, "server", {
      metadata,
      stringData: {
        password,
        key: this.child(random.RandomPassword, "key", { length: 512, special: false }).result,
        "ca.crt": certificates.ca,
        "tls.pem": pulumi.interpolate`${certificates.key}${certificates.certificate}`,
      },
    });
    const service = this.child(
      k8s.core.v1.Service,
      "",
      {
        metadata: { ...metadata, name },
        spec: {
          // Members find each other before they are ready.
          clusterIP: "None",
          publishNotReadyAddresses: true,
          selector: selector("mongo", name),
          ports: [{ name: "mongo", port }],
        },
      },
      args.transform?.service,
    );
    const set = this.child(
      k8s.apps.v1.StatefulSet,
      "",
      statefulSet(name, plan, { metadata, files: files.metadata.name }),
      args.transform?.statefulSet,
    );
    this.child(k8s.policy.v1.PodDisruptionBudget, "", {
      metadata: { ...metadata, name },
      spec: { maxUnavailable: 1, selector: { matchLabels: selector("mongo", name) } },
    });
    const pods = { name, namespace, podLabels: selector("mongo", name), port };
    const setup = new Setup(`${name}-setup`, { namespace: args.namespace, program }, { parent: this });
    const itself = { name, namespace: args.namespace, parent: this, podLabels: selector("mongo", name) };
    const rules = [...allow(setup.consumer, pods), ...(plan.members > 1 ? allow(itself, pods) : [])];
    const address = { hosts, replicaSet, authSource: "admin", ca: certificates.ca };
    const specification: pulumi.Output<MongoSpecification> = pulumi.output({
      task: "replica-set" as const,
      server: { ...address, username: administrator, password },
    });
    const initiated = setup.run(`${name}-replica-set`, specification, { dependsOn: [set, service, ...rules] });
    this.nodes = { statefulSet: set, service };
    this.#server = {
      componentName: name,
      address: { ...address, database: plan.database },
      credentials: { username: administrator, password, setup },
      ready: [initiated],
      reach: perConsumer((consumer) => allow(consumer, pods)),
    };
    this.registerOutputs();
  }

  /** A collection whose documents the schema describes. */
  collection<Document>(name: string, schema: Schema<Document>): Collection<Document> {
    return new Collection(this.#server, name, schema);
  }
}

export interface ExistingMongoArgs {
  /** `host:port` of every member. */
  readonly hosts: readonly string[];
  readonly replicaSet: string;
  readonly database: string;
  /** The database that knows the accounts.
   *  @default "admin" */
  readonly authSource?: string;
  /** PEM of the authority that signed the server's certificates.
   *  @default - the public authorities */
  readonly ca?: pulumi.Input<string>;
  /** An account that all consumers share. */
  readonly account?: Credentials;
  /** An account that may make users: each consumer then gets its own. */
  readonly admin?: Credentials & {
    /** Where the set-up jobs run. */
    readonly namespace: Namespace;
  };
}

/** A MongoDB replica set that someone else runs. It must speak TLS. */
export class ExistingMongo extends Component {
  readonly #server: MongoServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: ExistingMongoArgs, opts?: pulumi.ComponentResourceOptions) {
    const { authSource, credentials, ports } = planExistingMongo(name, args);
    super("fivefold:mongo:ExistingMongo", name, opts);
    const { hosts, replicaSet, database, ca, admin } = args;
    const reach = perConsumer((consumer) =>
      ports.flatMap((each) => allowOut(consumer, ports.length > 1 ? `${name}-${each}` : name, each)),
    );
    const setup = admin && new Setup(`${name}-setup`, { namespace: admin.namespace, program }, { parent: this });
    this.#server = {
      componentName: name,
      address: { hosts, replicaSet, database, authSource, ...(ca !== undefined && { ca }) },
      credentials: { ...credentials, ...(setup && { setup }) },
      ready: setup ? reach(setup.consumer) : [],
      reach,
    };
    this.registerOutputs();
  }

  /** A collection whose documents the schema describes. */
  collection<Document>(name: string, schema: Schema<Document>): Collection<Document> {
    return new Collection(this.#server, name, schema);
  }
}
