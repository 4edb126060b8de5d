import * as pulumi from "@pulumi/pulumi";
import type { Bindable, Consumer } from "./binding.ts";
import { allowOut } from "./network.ts";

/** Something that is called over the network. */
export interface Reachable {
  readonly url: pulumi.Input<string>;
  /** Network rules for one consumer. */
  reach(consumer: Consumer): readonly pulumi.Resource[];
}

/**
 * Fills a port of the kind `settings`. What must not be seen has to be a Pulumi secret.
 *
 * @param called what the settings tell the function to call
 */
export function given<Value extends object>(
  value: { readonly [Field in keyof Value]: pulumi.Input<Value[Field]> },
  ...called: readonly Reachable[]
): Bindable<Value> {
  return {
    bind: (consumer) => ({
      settings: pulumi.output(value) as pulumi.Output<object>,
      dependsOn: called.flatMap((one) => [...one.reach(consumer)]),
    }),
  };
}

/** An address outside this stack. @param name for the names of network rules */
export function elsewhere(name: string, url: string): Reachable {
  const { protocol, port } = new URL(url);
  const number = Number(port || (protocol === "http:" ? 80 : 443));
  return { url, reach: (consumer) => allowOut(consumer, name, number) };
}
