/** What the stack `platform` tells the architectures' stacks. */
import * as pulumi from "@pulumi/pulumi";

/**
 * An output of the platform's stack.
 *
 * @param stack its name, with its organization and project if they differ from this one's
 * @default - what the setting `platform` says, else `platform`: a cluster has one for all architectures
 */
export function platformOutput<T>(
  output: string,
  stack: string = new pulumi.Config().get("platform") ?? "platform",
): pulumi.Output<T> {
  const full = stack.includes("/") ? stack : `${pulumi.getOrganization()}/${pulumi.getProject()}/${stack}`;
  return reference(full).requireOutput(output) as pulumi.Output<T>;
}

const references = new Map<string, pulumi.StackReference>();

/** A stack may be referred to only once in a program. */
function reference(name: string): pulumi.StackReference {
  const known = references.get(name) ?? new pulumi.StackReference(name);
  references.set(name, known);
  return known;
}
