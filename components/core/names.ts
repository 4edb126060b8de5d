/** Names that Kubernetes and the servers accept; plain so that they can be checked before anything is created. */
import type { Consumer } from "./binding.ts";

const label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

/** A DNS label, short enough that names of pods and their labels can be made from it. */
export const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 40 && label.test(value);

export const writeName = (got: unknown): string =>
  `write up to 40 lower-case letters, digits and dashes, starting with a letter, got ${JSON.stringify(got)}`;

/** The name of the user that stands for one port of one consumer; dots keep the parts apart. */
export const userOf = (consumer: Consumer, port: string): string =>
  `${consumer.namespace.componentName}.${consumer.name}.${port}`;
