import * as pulumi from "@pulumi/pulumi";
import { expect } from "vitest";
import type { Bindable } from "../../../components/core/binding.ts";

/** Fills a port with these settings. */
export function fake<Client>(settings: object): Bindable<Client> {
  return { bind: () => ({ settings: pulumi.secret(settings), dependsOn: [] }) };
}

/** Waits for an output, secret or not. */
export function resolved<T>(value: pulumi.Input<T>): Promise<unknown> {
  return new Promise((done) => {
    pulumi.output(value).apply((known) => done(known));
  });
}

/** What is inside a secret, as mocks record it; fails where it is none. */
export function secretValue(recorded: unknown): Record<string, string> {
  expect(recorded).toEqual({
    [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig,
    value: expect.anything(),
  });
  return (recorded as { value: Record<string, string> }).value;
}
