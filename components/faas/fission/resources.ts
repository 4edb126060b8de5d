/** Fission's custom resources, as far as the kit uses their fields. The API server drops fields it does not know in silence. */
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Transform } from "../../core/component.ts";
import { waitFor } from "../../core/wait-for.ts";

export interface Specs {
  FissionTenant: { namespace: pulumi.Input<string> };
  Environment: EnvironmentSpec;
  Package: PackageSpec;
  Function: FunctionSpec;
  HTTPTrigger: HttpTriggerSpec;
  TimeTrigger: TimeTriggerSpec;
}

interface Reference {
  name: pulumi.Input<string>;
  /** Fission has no default for it. */
  namespace: pulumi.Input<string>;
}

interface EnvironmentSpec {
  /** `poolsize` is heeded only from version 3 on. */
  version: 3;
  poolsize: number;
  keeparchive: boolean;
  /** Seconds; when it is left out, Fission takes 0 and requests in flight are cut off. */
  terminationGracePeriod: number;
  runtime: { image: pulumi.Input<string>; podspec: k8s.types.input.core.v1.PodSpec };
  resources: k8s.types.input.core.v1.ResourceRequirements;
}

interface PackageSpec {
  environment: Reference;
  deployment: {
    type: "literal";
    /** A zip archive in base64. */
    literal: string;
    checksum: { type: "sha256"; sum: string };
  };
}

interface FunctionSpec {
  environment: Reference;
  package: { functionName: string; packageref: Reference };
  secrets?: Reference[];
  functionTimeout: number;
  InvokeStrategy: {
    StrategyType: "execution";
    ExecutionStrategy: {
      ExecutorType: "newdeploy";
      MinScale: number;
      MaxScale: number;
      SpecializationTimeout: number;
      hpaMetrics?: k8s.types.input.autoscaling.v2.MetricSpec[];
    };
  };
}

interface FunctionReference {
  type: "name";
  name: pulumi.Input<string>;
}

interface HttpTriggerSpec {
  /** The route is for requests with this header `Host` only. */
  host?: pulumi.Input<string>;
  relativeurl: string;
  methods: string[];
  functionref: FunctionReference;
}

interface TimeTriggerSpec {
  cron: string;
  functionref: FunctionReference;
}

export interface FissionArgs<Kind extends keyof Specs> {
  metadata: {
    name: pulumi.Input<string>;
    namespace?: pulumi.Input<string>;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: Specs[Kind];
}

/** `condition=Ready` would wait for ever after an update: Fission does not look at a Function's condition again. */
export const waitForReady = waitFor('.status.conditions[?(@.type=="Ready")].status');

/** Creates a custom resource of Fission. */
export function resource<Kind extends keyof Specs>(
  kind: Kind,
  name: string,
  args: FissionArgs<Kind>,
  opts: pulumi.CustomResourceOptions,
  change?: Transform<FissionArgs<Kind>>,
): k8s.apiextensions.CustomResource {
  change?.(args as never, opts);
  return new k8s.apiextensions.CustomResource(name, { apiVersion: "fission.io/v1", kind, ...args }, opts);
}
