/** Functions as plain Deployments, called from within the cluster. They need nothing but Kubernetes. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { ServeSettings } from "../../../functions/kit/adapters/server.ts";
import type { FunctionAddress } from "../../../functions/kit/batch.ts";
import { gzip } from "../../core/bundle.ts";
import { KitError } from "../../core/check.ts";
import type { Transform } from "../../core/component.ts";
import { labels } from "../../core/labels.ts";
import { largestProgram, programMap } from "../../core/program.ts";
import { mountSettings } from "../../core/settings.ts";
import type { FaasProvider, FunctionPlan, RequestTrigger } from "../provider.ts";
import { planDeployment, planDisruptionBudget, planService, port } from "./plan.ts";

export interface DeploymentsArgs {
  readonly transform?: {
    readonly deployment?: Transform<k8s.apps.v1.DeploymentArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

const name = "Deployments";

/** Runs functions as Deployments: one process per replica, no triggers of their own. */
export function deployments(args: DeploymentsArgs = {}): FaasProvider {
  /** Functions by namespace and path. */
  const routes = new Map<string, FunctionPlan>();
  return {
    name,
    adapter: "server",
    limits: { inlineBytes: largestProgram },
    pack: gzip,
    install: () => [],

    deploy({ namespace }, plan) {
      const { consumer } = plan;
      if (plan.scale.max > plan.scale.min) {
        throw new KitError(`Function "${plan.name}"`, [
          `maxReplicas: ${name} do not scale by themselves; leave it out`,
        ]);
      }
      const opts = { parent: consumer.parent };
      const meta = { namespace: namespace.metadataName, labels: labels("function", plan.name) };
      const token = new random.RandomPassword(`${plan.name}-token`, { length: 32, special: false }, opts).result;
      const serve = token.apply((it): ServeSettings => ({ token: it }));
      const mounted = mountSettings(consumer, { ...plan.settings, serve }, meta.labels);
      const program = programMap(consumer, plan.bundle);
      const metadata = { ...meta, name: plan.name };

      const service: k8s.core.v1.ServiceArgs = { metadata, spec: planService(consumer) };
      const serviceOpts = { ...opts };
      args.transform?.service?.(service as never, serviceOpts);
      const made = new k8s.core.v1.Service(plan.name, service, serviceOpts);

      const deployment: k8s.apps.v1.DeploymentArgs = { metadata, spec: planDeployment(plan, program, mounted) };
      const deploymentOpts = { ...opts, dependsOn: [...plan.dependsOn] };
      args.transform?.deployment?.(deployment as never, deploymentOpts);
      const resource = new k8s.apps.v1.Deployment(plan.name, deployment, deploymentOpts);
      if (plan.scale.min > 1) {
        new k8s.policy.v1.PodDisruptionBudget(plan.name, { metadata, spec: planDisruptionBudget(consumer) }, opts);
      }
      return {
        address: pulumi.all([made.metadata.name, namespace.metadataName, token]).apply(
          ([host, ns, it]): FunctionAddress => ({
            url: `http://${host}.${ns}.svc:${port}`,
            auth: { kind: "bearer", token: it },
          }),
        ),
        server: () => ({
          name: plan.name,
          namespace: namespace.metadataName,
          podLabels: consumer.podLabels,
          port,
        }),
        resource,
      };
    },

    entrance({ namespace }, path) {
      const served = routes.get(`${namespace.componentName} ${path}`);
      if (!served) throw new KitError(name, [`path "${path}": no function was given to http for it`]);
      return {
        url: pulumi.interpolate`http://${served.name}.${namespace.metadataName}.svc:${port}${path}`,
        server: { name: served.name, namespace: namespace.metadataName, podLabels: served.consumer.podLabels, port },
      };
    },

    serve({ namespace }, plan, deployed, trigger) {
      refuseVariables(plan, trigger);
      const at = { name: plan.name, namespace: namespace.metadataName, port };
      return {
        service: at,
        server: { ...at, podLabels: plan.consumer.podLabels },
        dependsOn: [deployed.resource],
      };
    },

    // The function's Service is its route: its server answers requests for any path, from within the cluster.
    attach({ namespace }, plan, _deployed, trigger) {
      if (trigger.on === "time") {
        throw new KitError(`Function "${plan.name}"`, [
          `time "${trigger.cron}": ${name} have no such trigger; use fission()`,
        ]);
      }
      refuseVariables(plan, trigger);
      routes.set(`${namespace.componentName} ${trigger.path}`, plan);
    },
  };
}

/** @throws KitError if there are any */
function refuseVariables(plan: FunctionPlan, { method, path }: RequestTrigger): void {
  if (path.includes(":")) {
    throw new KitError(`Function "${plan.name}"`, [
      `request "${method} ${path}": ${name} know no variables in paths; use fission()`,
    ]);
  }
}
