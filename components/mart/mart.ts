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
import type { Size } from "../core/units.ts";
import { administrator, port } from "./defaults.ts";
import { planExistingMart, planMart, planTable } from "./plan.ts";
import { accessRules, startScript } from "./start.ts";
import { statefulSet } from "./stateful-set.ts";
import { type Credentials, type MartServer, Table, type TableArgs } from "./table.ts";

export interface MartArgs {
  readonly namespace: Namespace;
  /** The database that holds the tables.
   *  @default - the name of the namespace */
  readonly database?: string;
  /** Its disk.
   *  @default "10 GiB" */
  readonly storage?: Size;
  /** A quarter of it is PostgreSQL's own cache.
   *  @default "256 MiB" */
  readonly memory?: Size;
  readonly transform?: {
    readonly statefulSet?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

const program = new URL("../../functions/setup/mart.main.ts", import.meta.url);

/** A data mart: one PostgreSQL server, reached over TLS only. */
export class Mart extends Component {
  readonly nodes: {
    readonly statefulSet: k8s.apps.v1.StatefulSet;
    readonly service: k8s.core.v1.Service;
  };
  readonly #server: MartServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: MartArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planMart(name, args);
    super("fivefold:mart:Mart", name, opts);
    const namespace = args.namespace.metadataName;
    const host = pulumi.interpolate`${name}.${namespace}.svc`;
    const metadata = { namespace, labels: labels("mart", name) };

    const certificates = new Certificates(`${name}-tls`, { hosts: [host] }, { parent: this });
    const password = this.child(random.RandomPassword, "password", { length: 32, special: false }).result;
    // Secrets and ConfigMaps without fixed names: what changes gets a new name, and with it the pod starts anew.
    const files = this.child(k8s.core.v1.Secret, "server", {
      metadata,
      stringData: { password, "tls.crt": certificates.certificate, "tls.key": certificates.key },
    });
    const configuration = this.child(k8s.core.v1.ConfigMap, "configuration", {
      metadata,
      data: { "start.sh": startScript, "pg_hba.conf": accessRules(plan.database) },
    });
    const service = this.child(
      k8s.core.v1.Service,
      "",
      {
        metadata: { ...metadata, name },
        spec: { selector: selector("mart", name), ports: [{ name: "postgres", port }] },
      },
      args.transform?.service,
    );
    const set = this.child(
      k8s.apps.v1.StatefulSet,
      "",
      statefulSet(name, plan, { metadata, files: files.metadata.name, configuration: configuration.metadata.name }),
      args.transform?.statefulSet,
    );
    const pods = { name, namespace, podLabels: selector("mart", name), port };
    const setup = new Setup(`${name}-setup`, { namespace: args.namespace, program }, { parent: this });
    const rules = allow(setup.consumer, pods);
    this.nodes = { statefulSet: set, service };
    this.#server = {
      componentName: name,
      address: { host, port, database: plan.database, ca: certificates.ca },
      credentials: { username: administrator, password, setup },
      ready: [set, service, ...rules],
      reach: perConsumer((consumer) => allow(consumer, pods)),
    };
    this.registerOutputs();
  }

  /** A table whose rows the schema describes. */
  table<Row>(name: string, schema: Schema<Row>, args: TableArgs<NoInfer<Row>>): Table<Row> {
    return new Table(this.#server, schema, planTable(this.#server.address.database, name, args));
  }
}

export interface ExistingMartArgs {
  readonly host: pulumi.Input<string>;
  /** @default 5432 */
  readonly port?: number;
  readonly database: string;
  /** PEM of the authority that signed the server's certificate.
   *  @default - the public authorities */
  readonly ca?: pulumi.Input<string>;
  /** An account that all consumers share, for tables that are there already. */
  readonly account?: Credentials;
  /** An account that may make databases, tables and roles: each consumer then gets its own. */
  readonly admin?: Credentials & {
    /** Where the set-up jobs run. */
    readonly namespace: Namespace;
  };
}

/** A PostgreSQL server that someone else runs. It must speak TLS. */
export class ExistingMart extends Component {
  readonly #server: MartServer;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: ExistingMartArgs, opts?: pulumi.ComponentResourceOptions) {
    const known = planExistingMart(name, args);
    super("fivefold:mart:ExistingMart", name, opts);
    const { host, ca, admin } = args;
    const reach = perConsumer((consumer) => allowOut(consumer, name, known.port));
    const setup = admin && new Setup(`${name}-setup`, { namespace: admin.namespace, program }, { parent: this });
    this.#server = {
      componentName: name,
      address: { host, port: known.port, database: args.database, ...(ca !== undefined && { ca }) },
      credentials: { ...known.credentials, ...(setup && { setup }) },
      ready: setup ? reach(setup.consumer) : [],
      reach,
    };
    this.registerOutputs();
  }

  /** A table whose rows the schema describes. */
  table<Row>(name: string, schema: Schema<Row>, args: TableArgs<NoInfer<Row>>): Table<Row> {
    return new Table(this.#server, schema, planTable(this.#server.address.database, name, args));
  }
}
