import * as pulumi from "@pulumi/pulumi";
import { platformOutput } from "../core/platform.ts";

/** What an architecture must know of the cluster's gateway controller: an Envoy Gateway that runs proxies in the namespaces of their gateways. */
export interface GatewayOutputs {
  /** Where the controller runs. */
  readonly namespace: pulumi.Input<string>;
  /** The GatewayClass that it serves. */
  readonly className: pulumi.Input<string>;
}

/**
 * The gateway controller of another stack.
 *
 * @param stack its name, with its organization and project if they differ from this one's
 * @default - what the setting `platform` says, else `platform`
 */
export function gatewayPlatform(stack?: string): GatewayOutputs {
  const outputs = platformOutput<{ namespace: string; className: string }>("gateway", stack);
  return { namespace: pulumi.unsecret(outputs.namespace), className: pulumi.unsecret(outputs.className) };
}
