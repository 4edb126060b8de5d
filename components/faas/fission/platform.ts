import * as pulumi from "@pulumi/pulumi";
import { platformOutput } from "../../core/platform.ts";

/** What an architecture must know of a Fission. */
export interface FissionOutputs {
  /** Where Fission itself runs. */
  readonly namespace: pulumi.Input<string>;
  /** The router's public listener, for callers in the cluster. */
  readonly routerUrl: pulumi.Input<string>;
  /** The router's internal listener. */
  readonly internalUrl: pulumi.Input<string>;
  /** The key that signs calls to the internal listener, in base64. A secret. */
  readonly internalKey: pulumi.Input<string>;
}

/**
 * The Fission of another stack.
 *
 * @param stack its name, with its organization and project if they differ from this one's
 * @default - what the setting `platform` says, else `platform`: a cluster has one Fission for all architectures
 */
export function platform(stack?: string): FissionOutputs {
  const outputs = platformOutput<Resolved>("fission", stack);
  return {
    namespace: pulumi.unsecret(outputs.namespace),
    routerUrl: pulumi.unsecret(outputs.routerUrl),
    internalUrl: pulumi.unsecret(outputs.internalUrl),
    internalKey: pulumi.secret(outputs.internalKey),
  };
}

type Resolved = { readonly [Key in keyof FissionOutputs]: string };
