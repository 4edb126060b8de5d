import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Rows } from "../../functions/kit/ports.ts";
import type { Schema } from "../../functions/kit/schema.ts";
import type { MartSpecification, MartTable } from "../../functions/setup/mart.ts";
import type { Bindable, Binding, Consumer, PortUse } from "../core/binding.ts";
import { userOf } from "../core/names.ts";
import type { Setup } from "../core/setup.ts";
import { checkUser } from "./plan.ts";

export interface TableArgs<Row> {
  /**
   * Definition of each column of the row in SQL, for example `id: "text primary key"`; exactly one is the primary key.
   * The server adds `stored`, a number that rises with each row, and `stored_at`, the time.
   *
   * Columns added later are added to the table. What would change or drop data is refused.
   */
  readonly columns: { readonly [Column in keyof Row]-?: string };
  /** Queries that readers see as views, by name.
   *  @default - none */
  readonly views?: Readonly<Record<string, string>>;
}

/** What the tables of one server need of it. */
export interface MartServer {
  readonly componentName: string;
  readonly address: {
    readonly host: pulumi.Input<string>;
    readonly port: number;
    readonly database: string;
    readonly ca?: pulumi.Input<string>;
  };
  /** Whoever makes roles, or the account that all consumers share. */
  readonly credentials: Credentials & { readonly setup?: Setup };
  readonly ready: readonly pulumi.Resource[];
  /** Network rules for one consumer. */
  reach(consumer: Consumer): readonly pulumi.Resource[];
}

export interface Credentials {
  readonly username: pulumi.Input<string>;
  readonly password: pulumi.Input<string>;
}

/** A table of a mart. */
export class Table<Row> implements Bindable<Rows<Row>> {
  declare readonly client?: () => Rows<Row>;
  readonly schema: Schema<Row>;
  readonly #server: MartServer;
  readonly #plan: MartTable;
  readonly #ready: readonly pulumi.Resource[];

  constructor(server: MartServer, schema: Schema<Row>, plan: MartTable) {
    this.schema = schema;
    this.#server = server;
    this.#plan = plan;
    const { setup } = server.credentials;
    const specification: pulumi.Output<MartSpecification> = pulumi.output({
      task: "table" as const,
      server: administered(server),
      table: plan,
    });
    const job = setup?.run(`${server.componentName}-${plan.name}`, specification, { dependsOn: [...server.ready] });
    this.#ready = job ? [job] : server.ready;
  }

  bind(consumer: Consumer, port: PortUse): Binding {
    const { address, credentials, componentName } = this.#server;
    const { name: table, columns } = this.#plan;
    const reach = this.#server.reach(consumer);
    const place = { ...address, table, columns: columns.map(([column]) => column) };
    if (!credentials.setup) {
      const { username, password } = credentials;
      return { settings: { ...place, username, password }, dependsOn: [...reach, ...this.#ready] };
    }
    const username = userOf(consumer, port.name);
    checkUser(componentName, username);
    const edge = `${consumer.name}-to-${componentName}-${port.name}`;
    const { parent } = consumer;
    const { result: password } = new random.RandomPassword(edge, { length: 32, special: false }, { parent });
    const specification: pulumi.Output<MartSpecification> = pulumi.output({
      task: "user" as const,
      server: administered(this.#server),
      user: { name: username, password, table, access: port.access },
    });
    const job = credentials.setup.run(edge, specification, { parent, dependsOn: [...this.#ready] });
    return { settings: { ...place, username, password }, dependsOn: [...reach, job] };
  }
}

function administered({ address, credentials: { username, password } }: MartServer) {
  return { ...address, username, password };
}
