import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Objects } from "../../functions/kit/ports.ts";
import type { LakeSpecification } from "../../functions/setup/lake.ts";
import type { Bindable, Binding, Consumer, PortUse } from "../core/binding.ts";
import { userOf } from "../core/names.ts";
import type { Setup } from "../core/setup.ts";
import { checkBucket, checkUser } from "./plan.ts";

/** What the buckets of one server need of it. */
export interface LakeServer {
  readonly componentName: string;
  readonly address: {
    readonly endpoint: pulumi.Input<string>;
    readonly region: string;
    readonly ca?: pulumi.Input<string>;
  };
  /** Whoever makes buckets and users, or the keys that all consumers share. */
  readonly credentials: Credentials & { readonly setup?: Setup };
  readonly ready: readonly pulumi.Resource[];
  /** Network rules for one consumer. */
  reach(consumer: Consumer): readonly pulumi.Resource[];
}

export interface Credentials {
  readonly accessKeyId: pulumi.Input<string>;
  readonly secretAccessKey: pulumi.Input<string>;
}

/** A bucket of a lake. */
export class Bucket implements Bindable<Objects> {
  declare readonly client?: () => Objects;
  readonly #name: string;
  readonly #server: LakeServer;
  readonly #ready: readonly pulumi.Resource[];

  /** @throws KitError if S3 does not allow the name */
  constructor(server: LakeServer, name: string) {
    checkBucket(name);
    this.#name = name;
    this.#server = server;
    const { setup } = server.credentials;
    const specification: pulumi.Output<LakeSpecification> = pulumi.output({
      task: "bucket" as const,
      server: administered(server),
      bucket: name,
    });
    const job = setup?.run(`${server.componentName}-${name}`, specification, { dependsOn: [...server.ready] });
    this.#ready = job ? [job] : server.ready;
  }

  bind(consumer: Consumer, port: PortUse): Binding {
    const { address, credentials, componentName } = this.#server;
    const reach = this.#server.reach(consumer);
    const place = { ...address, bucket: this.#name };
    if (!credentials.setup) {
      const { accessKeyId, secretAccessKey } = credentials;
      return { settings: { ...place, accessKeyId, secretAccessKey }, dependsOn: [...reach, ...this.#ready] };
    }
    const name = userOf(consumer, port.name);
    checkUser(componentName, name);
    const edge = `${consumer.name}-to-${componentName}-${port.name}`;
    const { parent } = consumer;
    const keys = accessKeys(edge, parent);
    const specification: pulumi.Output<LakeSpecification> = pulumi.output({
      task: "user" as const,
      server: administered(this.#server),
      user: { name, ...keys, bucket: this.#name, access: port.access },
    });
    const job = credentials.setup.run(edge, specification, { parent, dependsOn: [...this.#ready] });
    return { settings: { ...place, ...keys }, dependsOn: [...reach, job] };
  }
}

/** Keys in the form of AWS, which some clients check. */
export function accessKeys(name: string, parent: pulumi.Resource): Credentials {
  const id = new random.RandomString(name, { length: 20, special: false, lower: false }, { parent });
  const secret = new random.RandomPassword(name, { length: 40, special: false }, { parent });
  return { accessKeyId: id.result, secretAccessKey: secret.result };
}

function administered({ address, credentials: { accessKeyId, secretAccessKey } }: LakeServer) {
  return { ...address, accessKeyId, secretAccessKey };
}
