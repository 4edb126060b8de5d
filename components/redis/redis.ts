import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Schema } from "../../functions/kit/schema.ts";
import { Certificates } from "../core/certificates.ts";
import { Component, type Transform } from "../core/component.ts";
import { labels, selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow, allowOut } from "../core/network.ts";
import { perConsumer } from "../core/per-consumer.ts";
import { Setup } from "../core/setup.ts";
import type { Duration, Size } from "../core/units.ts";
import { configuration, firstUsers } from "./configuration.ts";
import { administrator, port } from "./defaults.ts";
import { type Credentials, GridMap, type RedisServer } from "./map.ts";
import { planExistingRedis, planMap, planRedis } from "./plan.ts";
import { statefulSet } from "./stateful-set.ts";

export interface RedisArgs {
  readonly namespace: Namespace;
  /**
   * Further members with a copy of the data. With one or more, a write is refused while no copy can be made. The first
   * member stays the primary: there is no failover, it comes back with its disk.
   *
   * @default 0
   */
  readonly replicas?: number;
  /** Disk of each member.
   *  @default "5 GiB" */
  readonly storage?: Size;
  /** Of each member; data may take 60 % of it, and writes are refused beyond that.
   *  @default "256 MiB" */
  readonly memory?: Size;
  readonly transform?: {
    readonly statefulSet?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

export interface MapArgs {
  /** How long a value is kept after it was written.
   *  @default "30 days" */
  readonly keep?: Duration;
  /** How long an entry of the stream is kept, delivered or not.
   *  @default "7 days" */
  readonly retention?: Duration;
}

const program = new URL("../../functions/setup/redis.main.ts", import.meta.url);

/** An in-memory data grid: Valkey, which speaks Redis' protocol, reached over TLS only. What it acknowledged is on disk. */
export class Redis extends Component {
  readonly nodes: {
    readonly statefulSet: k8s.apps.v1.StatefulSet;
    readonly service: k8s.core.v1.Service;
  };
  readonly #server: RedisServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: RedisArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planRedis(name, args);
    super("fivefold:redis:Redis", name, opts);
    const namespace = args.namespace.metadataName;
    const members = Array.from(
      { length: 1 + plan.replicas },
      (_, n) => pulumi.interpolate`${name}-${n}.${name}.${namespace}.svc`,
    );
    const [primary] = members as [pulumi.Output<string>];
    const metadata = { namespace, labels: labels("redis", name) };

    const certificates = new Certificates(`${name}-tls`, { hosts: members }, { parent: this });
    const password = this.child(random.RandomPassword, "password", { length: 32, special: false }).result;
    // A Secret without a fixed name: what changes gets a new name, and with it the pods start anew.
    const files = this.child(k8s.core.v1.Secret, "server", {
      metadata,
      stringData: {
        "valkey.conf": password.apply((known) => configuration(plan, known)),
        "users.acl": password.apply(firstUsers),
        "ca.crt": certificates.ca,
        "tls.crt": certificates.certificate,
        "tls.key": certificates.key,
      },
    });
    const service = this.child(
      k8s.core.v1.Service,
      "",
      {
        metadata: { ...metadata, name },
        spec: {
          clusterIP: "None",
          // Replicas find the primary before it is ready.
          publishNotReadyAddresses: true,
          selector: selector("redis", name),
          ports: [{ name: "valkey", port }],
        },
      },
      args.transform?.service,
    );
    const set = this.child(
      k8s.apps.v1.StatefulSet,
      "",
      statefulSet(name, plan, { metadata, files: files.metadata.name, primary }),
      args.transform?.statefulSet,
    );
    this.child(k8s.policy.v1.PodDisruptionBudget, "", {
      metadata: { ...metadata, name },
      spec: { maxUnavailable: 1, selector: { matchLabels: selector("redis", name) } },
    });
    const pods = { name, namespace, podLabels: selector("redis", name), port };
    const setup = new Setup(`${name}-setup`, { namespace: args.namespace, program }, { parent: this });
    const itself = { name, namespace: args.namespace, parent: this, podLabels: selector("redis", name) };
    const rules = [...allow(setup.consumer, pods), ...(plan.replicas > 0 ? allow(itself, pods) : [])];
    this.nodes = { statefulSet: set, service };
    this.#server = {
      componentName: name,
      address: { host: primary, port, ca: certificates.ca },
      members,
      credentials: { username: administrator, password, setup },
      ready: [set, service, ...rules],
      reach: perConsumer((consumer) => allow(consumer, pods)),
    };
    this.registerOutputs();
  }

  /** A map whose values the schema describes. */
  map<Value>(name: string, schema: Schema<Value>, args: MapArgs = {}): GridMap<Value> {
    return new GridMap(this.#server, schema, planMap(name, args));
  }
}

export interface ExistingRedisArgs {
  readonly host: pulumi.Input<string>;
  /** @default 6379 */
  readonly port?: number;
  /** PEM of the authority that signed the server's certificate.
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

/**
 * A server of Valkey 7.2 or Redis 7.2 or newer that someone else runs. It must speak TLS, and should acknowledge nothing
 * before it is on disk (`appendfsync always`) and evict nothing.
 */
export class ExistingRedis extends Component {
  readonly #server: RedisServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: ExistingRedisArgs, opts?: pulumi.ComponentResourceOptions) {
    const { port, credentials } = planExistingRedis(name, args);
    super("fivefold:redis:ExistingRedis", name, opts);
    const { host, ca, admin } = args;
    const reach = perConsumer((consumer) => allowOut(consumer, name, port));
    const setup = admin && new Setup(`${name}-setup`, { namespace: admin.namespace, program }, { parent: this });
    this.#server = {
      componentName: name,
      address: { host, port, ...(ca !== undefined && { ca }) },
      members: [host],
      credentials: { ...credentials, ...(setup && { setup }) },
      ready: setup ? reach(setup.consumer) : [],
      reach,
    };
    this.registerOutputs();
  }

  /** A map whose values the schema describes. */
  map<Value>(name: string, schema: Schema<Value>, args: MapArgs = {}): GridMap<Value> {
    return new GridMap(this.#server, schema, planMap(name, args));
  }
}
