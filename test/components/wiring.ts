/** What the tests of stores have in common: a consumer, and where a password may be. */

import * as pulumi from "@pulumi/pulumi";
import { expect } from "vitest";
import type { Consumer, PortUse } from "../../components/core/binding.ts";
import type { Namespace } from "../../components/core/namespace.ts";
import type { Deployment, Recorded } from "../harness.ts";

export function consumerIn(namespace: Namespace, name = "writer"): Consumer {
  return { name, namespace, parent: namespace, podLabels: { app: name } };
}

export const use = (kind: PortUse["kind"], access: PortUse["access"], name = "store"): PortUse => ({
  name,
  kind,
  access,
  encoding: "json",
});

/** The specification of a set-up Job. */
export function specificationOf(deployment: Deployment, name: string): unknown {
  return JSON.parse(secretOf(deployment, name)["specification.json"] ?? "");
}

/** The contents of a Secret, which is secret for Pulumi too. */
export function secretOf(deployment: Deployment, name: string): Record<string, string> {
  const secret = deployment.of("kubernetes:core/v1:Secret").find((each) => each.name === name);
  const { [isSecret]: mark, value } = (secret?.inputs.stringData ?? {}) as Record<string, unknown>;
  expect(mark, `${name} is a secret`).toBeDefined();
  return value as Record<string, string>;
}

/** How Pulumi marks a secret. */
const isSecret = "4dabf18193072939515e22adb298388d";

/** Kubernetes objects other than Secrets that hold one of the texts. */
export function leaks(deployment: Deployment, texts: readonly string[]): string[] {
  const isOpen = ({ type }: Recorded) => type.startsWith("kubernetes:") && type !== "kubernetes:core/v1:Secret";
  const holds = ({ inputs }: Recorded) => texts.some((text) => JSON.stringify(inputs).includes(text));
  return deployment.resources.filter((each) => isOpen(each) && holds(each)).map(({ type, name }) => `${type} ${name}`);
}

/** The value of an input. */
export const known = <T>(input: pulumi.Input<T>): Promise<T> =>
  new Promise((resolve) => pulumi.output(input).apply((value) => resolve(value as T)));

/** `type name` of everything that is no component, in order of names. */
export function childrenOf(deployment: Deployment): string[] {
  return deployment.resources
    .filter(({ type }) => !type.startsWith("fivefold:"))
    .map(({ type, name }) => `${type.split(":").at(-1)} ${name}`)
    .sort();
}
