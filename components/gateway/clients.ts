/** Who may call a route, and how they prove it. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Check } from "../core/check.ts";
import { Component } from "../core/component.ts";
import { labels } from "../core/labels.ts";
import { isName, writeName } from "../core/names.ts";
import { clientHeader, keyHeader } from "./defaults.ts";

/** Clients of one gateway. `Gateway.keys` and `Gateway.tokens` make them. */
export interface Clients {
  /** The gateway's name. */
  readonly gateway: string;
  /** The part of a SecurityPolicy that lets them in, and nobody else. */
  readonly policy: object;
  readonly dependsOn: readonly pulumi.Resource[];
}

export interface KeyedClients<Name extends string> extends Clients {
  /** The key of each client. Secrets. */
  readonly keys: Readonly<Record<Name, pulumi.Output<string>>>;
}

/** A client with a key of its own, which it sends in the header `x-api-key`. */
export class Client extends Component {
  readonly client: string;
  /** A secret. */
  readonly key: pulumi.Output<string>;
  readonly nodes: { readonly secret: k8s.core.v1.Secret };

  constructor(gateway: string, client: string, namespace: pulumi.Input<string>, opts: pulumi.ComponentResourceOptions) {
    const name = `${gateway}-key-${client}`;
    super("fivefold:gateway:Client", name, opts);
    this.key = this.child(random.RandomPassword, "", { length: 32, special: false }).result;
    // Without a fixed name: another key is there before the routes let go of this one.
    const secret = this.child(k8s.core.v1.Secret, "", {
      metadata: { namespace, labels: labels("gateway-key", name) },
      stringData: { [client]: this.key },
    });
    this.client = client;
    this.nodes = { secret };
    this.registerOutputs({});
  }
}

/** @throws KitError naming every problem */
export function checkClients(gateway: string, names: readonly string[]): void {
  const check = new Check(`Keys of Gateway ${JSON.stringify(gateway)}`);
  check.that(names.length > 0, "clients", "name one or more");
  for (const name of names) check.that(isName(name), "clients", writeName(name));
  check.that(new Set(names).size === names.length, "clients", `name each once, got ${names.join(", ")}`);
  check.done();
}

export function keysPolicy(clients: readonly Client[]): object {
  return {
    apiKeyAuth: {
      credentialRefs: clients.map(({ nodes }) => ({ name: nodes.secret.metadata.name })),
      extractFrom: [{ headers: [keyHeader] }],
      forwardClientIDHeader: clientHeader,
      sanitize: true,
    },
  };
}

export interface TokensArgs {
  /** Who signs the tokens, as they say it themselves. */
  readonly issuer: string;
  /** Whom tokens are made out to; one of these is enough.
   *  @default - anyone */
  readonly audiences?: readonly string[];
  /** The issuer's public keys: where it publishes them, or the set itself (JWKS). */
  readonly keys: `https://${string}` | { readonly jwks: pulumi.Input<string> };
  /** The claim that names the client. Those whose tokens lack it have no name and share a limit.
   *  @default "sub" */
  readonly client?: string;
}

/** @throws KitError naming every problem */
export function tokensPolicy(gateway: string, args: TokensArgs): object {
  const { issuer, audiences = [], keys, client = "sub" } = args;
  const check = new Check(`Tokens of Gateway ${JSON.stringify(gateway)}`);
  check.that(issuer !== "", "issuer", "write the `iss` of the tokens");
  check.that(audiences.length <= 8, "audiences", `at most 8, got ${audiences.length}`);
  check.that(
    typeof keys !== "string" || (URL.canParse(keys) && keys.startsWith("https://")),
    "keys",
    `write a URL such as "https://login.example.org/keys", got ${JSON.stringify(keys)}`,
  );
  check.that(/^\w+(\.\w+)*$/.test(client), "client", `write a claim such as "sub", got ${JSON.stringify(client)}`);
  check.done();
  const provider = {
    name: "issuer",
    issuer,
    ...(audiences.length > 0 && { audiences: [...audiences] }),
    ...(typeof keys === "string"
      ? { remoteJWKS: { uri: keys } }
      : { localJWKS: { type: "Inline", inline: pulumi.unsecret(pulumi.output(keys.jwks)) } }),
    claimToHeaders: [{ claim: client, header: clientHeader }],
    extractFrom: { headers: [{ name: "Authorization", valuePrefix: "Bearer " }] },
  };
  return { jwt: { providers: [provider] } };
}
