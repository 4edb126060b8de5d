/** Runs a piece of a Pulumi program against mocks and records what it creates. */
import * as pulumi from "@pulumi/pulumi";

export interface Recorded {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

export interface Deployment {
  readonly resources: readonly Recorded[];
  of(type: string): Recorded[];
}

/** What the platform's stack tells the architectures'. */
const platform = {
  fission: { namespace: "fission", routerUrl: "http://router", internalUrl: "http://internal", internalKey: "a2V5" },
  gateway: { namespace: "envoy-gateway", className: "fivefold" },
};

/** Secrets are unwrapped in what is recorded: assert on `secret` where it matters that something is one. */
export async function deploy(program: () => unknown, stack = "iot"): Promise<Deployment> {
  const resources: Recorded[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource({ type, name, inputs }) {
        resources.push({ type, name, inputs });
        if (type === "pulumi:pulumi:StackReference") return { id: name, state: { ...inputs, outputs: platform } };
        const metadata = { name, ...inputs.metadata };
        return { id: `${name}-id`, state: { ...inputs, metadata, result: `${name}-result` } };
      },
      call({ token }) {
        throw new Error(`the program called ${token}, which no test expects`);
      },
    },
    "fivefold",
    stack,
    false,
    "organization",
  );
  await program();
  await pulumi.runtime.disconnect();
  return { resources, of: (type) => resources.filter((resource) => resource.type === type) };
}
