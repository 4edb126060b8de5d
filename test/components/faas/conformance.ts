/** What holds for every provider: its own test file says how it is made and where it keeps things. */
import { beforeAll, describe, expect, test } from "vitest";
import { Namespace } from "../../../components/core/namespace.ts";
import { Faas } from "../../../components/faas/faas.ts";
import type { EventFunction } from "../../../components/faas/function.ts";
import type { FaasProvider } from "../../../components/faas/provider.ts";
import type { Documents } from "../../../functions/kit/ports.ts";
import { type Deployment, deploy, type Recorded } from "../../harness.ts";
import { fake, resolved, secretValue } from "./fakes.ts";
import { echo, store } from "./fixtures/contracts.ts";

export interface Probe {
  /** Labels of the pods that answer for the function. */
  readonly podLabels: (deployed: Deployment, fn: string) => unknown;
  /** Something that is another whenever the pods must be replaced. */
  readonly version: (deployed: Deployment, fn: string) => unknown;
  /** Name of the Secret that the pods see. */
  readonly secret: (deployed: Deployment, fn: string) => unknown;
  readonly containers: (deployed: Deployment) => readonly { securityContext?: unknown }[];
}

export function conforms(name: string, provider: () => FaasProvider, probe: Probe): void {
  describe(`${name} keeps what every provider promises`, () => {
    let all: Deployment;
    let address: unknown;

    const wire = (password = "secret", make = provider()) => {
      const namespace = new Namespace("shop");
      const faas = new Faas("functions", { namespace, provider: make });
      const echoFn: EventFunction<never, unknown> = faas.fn(echo);
      faas.fn(store, {
        readings: fake<Documents<never>>({ password }) as never,
        echo: echoFn as never,
      });
      return { namespace, echoFn };
    };

    beforeAll(async () => {
      all = await deploy(async () => {
        const { namespace, echoFn } = wire();
        const caller = { name: "caller", namespace, parent: namespace, podLabels: { caller: "yes" } };
        address = await resolved(echoFn.bind(caller).settings);
      });
    });

    test("the address and its credential are what a caller needs", () => {
      expect(address).toEqual({ url: expect.stringMatching(/^http:\/\/.*echo/), auth: expect.anything() });
      const { auth } = address as { auth: { kind: string; token?: string; key?: string } };
      expect(["bearer", "fission"]).toContain(auth.kind);
      expect(auth.token ?? auth.key).toMatch(/./);
    });

    test("pods carry the labels by which network rules find them", () => {
      for (const fn of ["echo", "store"])
        expect(probe.podLabels(all, fn)).toMatchObject({
          "app.kubernetes.io/name": "function",
          "app.kubernetes.io/instance": fn,
        });
    });

    test("one Secret has a JSON file for each port", () => {
      const secret = all.of("kubernetes:core/v1:Secret").find(({ inputs }) => nameOf(inputs) === "store-ports");
      const data = secretValue(secret?.inputs.data);
      expect(Object.keys(data)).toEqual(expect.arrayContaining(["readings", "echo"]));
      expect(JSON.parse(Buffer.from(data.readings ?? "", "base64").toString())).toEqual({ password: "secret" });
      expect(probe.secret(all, "store")).toBe("store-ports");
    });

    test("both halves of an edge between functions are open", () => {
      const policies = all.of("kubernetes:networking.k8s.io/v1:NetworkPolicy");
      const from = (direction: string) =>
        policies.filter(
          (policy) => JSON.stringify(policy.inputs).includes("store") && directions(policy).includes(direction),
        );
      expect(from("Egress")).toHaveLength(1);
      expect(from("Ingress")).toHaveLength(1);
    });

    test("the same sources and settings leave everything as it is", async () => {
      const again = await deploy(() => void wire());
      expect(probe.version(again, "store")).toEqual(probe.version(all, "store"));
    });

    test("other settings replace the pods of the function that has them, and no others", async () => {
      const other = await deploy(() => void wire("another"));
      expect(probe.version(other, "store")).not.toEqual(probe.version(all, "store"));
      expect(probe.version(other, "echo")).toEqual(probe.version(all, "echo"));
    });

    test("containers can gain no privileges and write nothing but what is mounted", () => {
      const containers = probe.containers(all);
      expect(containers.length).toBeGreaterThan(0);
      for (const { securityContext } of containers)
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
    });

    test("code that is too large is refused by name and size, before anything of the function is created", async () => {
      const small: FaasProvider = { ...provider(), limits: { inlineBytes: 100 } };
      const nothing = await deploy(() => {
        const faas = new Faas("functions", { namespace: new Namespace("shop"), provider: small });
        expect(() => faas.fn(echo)).toThrow(
          /Function "echo"\n {2}- entry: its packed code is [\d,]+ bytes, .+ takes 100/,
        );
      });
      expect(nothing.resources.filter(({ name }) => name.startsWith("echo"))).toEqual([]);
    });

    test("a number of replicas that makes no sense is refused", async () => {
      await deploy(() => {
        const faas = new Faas("functions", { namespace: new Namespace("shop"), provider: provider() });
        expect(() => faas.fn(echo, {}, { replicas: 0 })).toThrow("replicas: must be 1 or more, got 0");
        expect(() => faas.fn(echo, {}, { replicas: 3, maxReplicas: 2 })).toThrow(
          "maxReplicas: must be 3 or more, got 2",
        );
      });
    });
  });
}

const nameOf = (inputs: Record<string, unknown>) => (inputs.metadata as { name?: string } | undefined)?.name;

const directions = ({ inputs }: Recorded) => (inputs.spec as { policyTypes: string[] }).policyTypes;
