/** Functions on Fission, each with pods of its own, so that no call waits for one to start. */
import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { FunctionAddress } from "../../../functions/kit/batch.ts";
import { zip } from "../../core/bundle.ts";
import type { Transform } from "../../core/component.ts";
import { labels } from "../../core/labels.ts";
import type { Namespace } from "../../core/namespace.ts";
import { mountSettings } from "../../core/settings.ts";
import { waitFor } from "../../core/wait-for.ts";
import type { FaasProvider } from "../provider.ts";
import { planEnvironment, planExecution, planFront, planTrigger, routePath } from "./plan.ts";
import { type FissionOutputs, platform } from "./platform.ts";
import { type FissionArgs, resource, type Specs, waitForReady } from "./resources.ts";
import { functionPods, router, routerPorts } from "./rules.ts";

export interface FissionProviderArgs {
  /** The Fission to use.
   *  @default - that of the stack `platform`, see `platform()` */
  readonly platform?: FissionOutputs;
  readonly transform?: { readonly [Kind in keyof Specs]?: Transform<FissionArgs<Kind>> };
}

/** An inline archive over this is refused by Fission's webhook. */
const inlineBytes = 256 * 1024;

/** Most that any of its pods may take to become ready. */
const customTimeouts = { create: "5m", update: "5m", delete: "5m" };

/** Runs functions on Fission. */
export function fission(args: FissionProviderArgs = {}): FaasProvider {
  const change = args.transform ?? {};
  const outputs = args.platform ?? platform();
  return {
    name: "Fission",
    adapter: "fission",
    limits: { inlineBytes },
    pack: zip,

    install(host) {
      const tenant = tenantOf(host.namespace, outputs, change.FissionTenant);
      const environment = resource(
        "Environment",
        host.name,
        { metadata: metadata(host.namespace, host.name), spec: planEnvironment(host.name) },
        { parent: host.resource, dependsOn: [...tenant] },
        change.Environment,
      );
      return [...tenant, environment];
    },

    deploy(host, plan) {
      const { name, consumer, bundle } = plan;
      const namespace = host.namespace.metadataName;
      const environment = { name: host.name, namespace };
      const archive = zip(bundle);
      const sum = createHash("sha256").update(archive).digest("hex");
      const hasPorts = Object.keys(plan.settings).length > 0;
      const settings = hasPorts ? mountSettings(consumer, plan.settings, labels("function", name)) : undefined;
      // Fission replaces a function's pods when the function names another package, not when the package or a Secret changes.
      const version = settings ? settings.hash.apply((hash) => digest(sum + hash)) : digest(sum);
      const opts: pulumi.CustomResourceOptions = { parent: consumer.parent, dependsOn: [...plan.dependsOn] };
      const packed = resource(
        "Package",
        name,
        {
          metadata: {
            ...metadata(host.namespace, pulumi.interpolate`${name}-${version}`),
            // The fetcher takes a package only after the build manager has looked at it.
            annotations: waitFor(".status.buildstatus", "none"),
          },
          spec: {
            environment,
            deployment: {
              type: "literal",
              literal: Buffer.from(archive).toString("base64"),
              checksum: { type: "sha256", sum },
            },
          },
        },
        { ...opts },
        change.Package,
      );
      const deployed = resource(
        "Function",
        name,
        {
          metadata: {
            ...metadata(host.namespace, name),
            // Fission puts the labels on the pods, by which the network rules find them.
            labels: { ...consumer.podLabels },
            annotations: waitForReady,
          },
          spec: {
            environment,
            package: { functionName: "index.handler", packageref: { name: packed.metadata.name, namespace } },
            // Fission drops an empty list, which would then be a difference at every update.
            ...(settings && { secrets: [{ name: settings.secret.metadata.name, namespace }] }),
            functionTimeout: plan.timeoutSeconds,
            InvokeStrategy: planExecution(plan.scale),
          },
        },
        { ...opts, customTimeouts },
        change.Function,
      );
      return {
        address: pulumi.all([outputs.internalUrl, outputs.internalKey, namespace]).apply(
          ([url, key, ns]): FunctionAddress => ({
            url: `${url}/fission-function/${ns}/${name}`,
            auth: { kind: "fission", key },
          }),
        ),
        // The rule's name must be unique in Fission's namespace, which all architectures share.
        server: (caller) => ({
          name: `fission-${caller.namespace.componentName}`,
          namespace: outputs.namespace,
          podLabels: router,
          port: routerPorts.internal,
        }),
        resource: deployed,
      };
    },

    entrance: (host, path) => ({
      url: pulumi.interpolate`${outputs.routerUrl}${routePath(host.namespace.componentName, path)}`,
      server: { name: "fission", namespace: outputs.namespace, podLabels: router, port: routerPorts.public },
    }),

    attach(host, plan, deployed, trigger) {
      const { kind, name, spec } = planTrigger(host.namespace.componentName, plan.name, trigger);
      const args = { metadata: { ...metadata(host.namespace, name), annotations: waitForReady }, spec };
      const opts = { parent: plan.consumer.parent, dependsOn: [deployed.resource], customTimeouts };
      resource(kind, name, args as never, opts, change[kind] as never);
    },

    serve(host, plan, deployed, trigger, front) {
      const { name, spec, host: secretHost } = planFront(plan.name, trigger, front);
      const args = { metadata: { ...metadata(host.namespace, name), annotations: waitForReady }, spec };
      const opts = { parent: plan.consumer.parent, dependsOn: [deployed.resource], customTimeouts };
      return {
        service: { name: "router", namespace: outputs.namespace, port: 80 },
        host: secretHost,
        // The rule's name must be unique in Fission's namespace, which all architectures share.
        server: {
          name: `fission-${host.namespace.componentName}`,
          namespace: outputs.namespace,
          podLabels: router,
          port: routerPorts.public,
        },
        dependsOn: [resource("HTTPTrigger", name, args, opts, change.HTTPTrigger)],
      };
    },
  };
}

const metadata = (namespace: Namespace, name: pulumi.Input<string>) => ({ name, namespace: namespace.metadataName });

const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 8);

const tenants = new WeakMap<Namespace, readonly pulumi.Resource[]>();

/** Has Fission serve the namespace, and opens what its pods there need; once for each namespace. */
function tenantOf(
  namespace: Namespace,
  { namespace: fissionNamespace }: FissionOutputs,
  change: Transform<FissionArgs<"FissionTenant">> | undefined,
): readonly pulumi.Resource[] {
  const known = tenants.get(namespace);
  if (known) return known;
  const opts = { parent: namespace };
  const tenant = resource(
    "FissionTenant",
    namespace.componentName,
    {
      metadata: { name: namespace.metadataName, annotations: waitForReady },
      spec: { namespace: namespace.metadataName },
    },
    { ...opts, customTimeouts },
    change,
  );
  const rules = new k8s.networking.v1.NetworkPolicy(
    `${namespace.componentName}-functions`,
    {
      metadata: { name: "fission-functions", namespace: namespace.metadataName },
      spec: functionPods(fissionNamespace),
    },
    opts,
  );
  const resources = [tenant, rules];
  tenants.set(namespace, resources);
  return resources;
}
