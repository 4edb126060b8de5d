import { hkdfSync } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { defined } from "../../core/check.ts";
import { Component, type Transform } from "../../core/component.ts";
import { labels } from "../../core/labels.ts";
import { Namespace } from "../../core/namespace.ts";
import { restrictedContainer, restrictedPod } from "../../core/pods.ts";
import { fission, images } from "../../core/versions.ts";
import { defaults } from "./defaults.ts";
import type { FissionOutputs } from "./platform.ts";
import { controlPlane, routerPorts } from "./rules.ts";
import { chartValues } from "./values.ts";

export interface FissionPlatformArgs {
  /** Fission's Helm chart: its name in Fission's own repository, or a folder.
   *  @default "fission-all" */
  readonly chart?: string;
  /** Folder or URL under which Fission's CustomResourceDefinitions lie.
   *  @default "https://raw.githubusercontent.com/fission/fission/v1.27.0/crds/v1" */
  readonly crds?: string;
  readonly transform?: { readonly release?: Transform<k8s.helm.v3.ReleaseArgs> };
}

const namespaceName = "fission";

/** The chart has none of them. */
const definitions = [
  "canaryconfigs",
  "environments",
  "fissiontenants",
  "functions",
  "httptriggers",
  "kuberneteswatchtriggers",
  "messagequeuetriggers",
  "packages",
  "timetriggers",
];

/** Fission itself, once for a cluster; the architectures' functions run on it. */
export class FissionPlatform extends Component implements FissionOutputs {
  readonly namespace: pulumi.Output<string>;
  readonly routerUrl: pulumi.Output<string>;
  readonly internalUrl: pulumi.Output<string>;
  readonly internalKey: pulumi.Output<string>;
  readonly nodes: { readonly release: k8s.helm.v3.Release };

  constructor(name: string, args: FissionPlatformArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("fivefold:faas:FissionPlatform", name, opts);
    const want = { ...defaults, ...defined(args) };
    const namespace = new Namespace(namespaceName, { transform: { namespace: allowBaseline } }, { parent: this });
    const rules = Object.entries(controlPlane).map(([rule, spec]) =>
      this.child(k8s.networking.v1.NetworkPolicy, rule, {
        metadata: { name: rule, namespace: namespace.metadataName },
        spec,
      }),
    );
    const crds = this.child(k8s.yaml.v2.ConfigGroup, "crds", {
      files: definitions.map((plural) => `${want.crds}/fission.io_${plural}.yaml`),
    });
    const master = this.child(random.RandomPassword, "internal-auth", { length: 32, special: false });
    const release = this.child(
      k8s.helm.v3.Release,
      "",
      {
        name: "fission",
        namespace: namespace.metadataName,
        chart: want.chart,
        // A folder has its own version.
        ...(want.chart === defaults.chart && {
          version: fission.version,
          repositoryOpts: { repo: fission.repository },
        }),
        values: chartValues(namespaceName, master.result),
        timeout: 600,
      },
      args.transform?.release,
      { dependsOn: [crds, ...rules] },
    );
    const serving = this.#waitForWebhook(namespace, release);
    const ready = <T>(value: pulumi.Input<T>) => pulumi.all([value, serving.id]).apply(([it]) => it as T);
    this.namespace = ready(namespaceName);
    this.routerUrl = ready(`http://router.${namespaceName}.svc`);
    this.internalUrl = ready(`http://router-internal.${namespaceName}.svc:${routerPorts.internal}`);
    this.internalKey = pulumi.secret(ready(master.result.apply(routerInternalKey)));
    this.nodes = { release };
    this.registerOutputs({ namespace: this.namespace, routerUrl: this.routerUrl, internalUrl: this.internalUrl });
  }

  /**
   * The chart counts as installed before its webhook answers, and until it does every function is refused. So a Job asks
   * the API server, as a trial, to create an Environment, until it would.
   */
  #waitForWebhook(namespace: Namespace, release: k8s.helm.v3.Release): k8s.batch.v1.Job {
    const metadata = {
      name: "webhook-check",
      namespace: namespace.metadataName,
      labels: labels("webhook-check", "fission"),
    };
    const account = this.child(k8s.core.v1.ServiceAccount, "check", { metadata, automountServiceAccountToken: false });
    const role = this.child(k8s.rbac.v1.Role, "check", {
      metadata,
      rules: [{ apiGroups: ["fission.io"], resources: ["environments"], verbs: ["create"] }],
    });
    const binding = this.child(k8s.rbac.v1.RoleBinding, "check", {
      metadata,
      subjects: [{ kind: "ServiceAccount", name: account.metadata.name, namespace: namespace.metadataName }],
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
    });
    const { name: _, ...rest } = metadata;
    return this.child(
      k8s.batch.v1.Job,
      "check",
      {
        metadata: rest,
        spec: {
          backoffLimit: 3,
          activeDeadlineSeconds: 300,
          template: {
            metadata: { labels: rest.labels },
            spec: {
              restartPolicy: "Never",
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: true,
              enableServiceLinks: false,
              securityContext: restrictedPod(1000),
              containers: [
                {
                  name: "check",
                  image: images.node,
                  command: ["node", "-e", webhookCheck],
                  // Another revision of the release is another Job.
                  env: [{ name: "REVISION", value: release.status.revision.apply(String) }],
                  securityContext: restrictedContainer,
                  resources: { requests: { cpu: "10m", memory: "48Mi" }, limits: { memory: "96Mi" } },
                },
              ],
            },
          },
        },
      },
      undefined,
      { dependsOn: [binding, release] },
    );
  }
}

/** The chart's pods set no container security context, which the *restricted* standard wants; *baseline* they keep. */
const allowBaseline: Transform<k8s.core.v1.NamespaceArgs> = ({ metadata }) => {
  Object.assign(metadata?.labels ?? {}, { "pod-security.kubernetes.io/enforce": "baseline" });
};

/** The key that callers of the router's internal listener sign with. From it the master cannot be had. */
export function routerInternalKey(master: string): string {
  return Buffer.from(hkdfSync("sha256", master, "", "fission-internal-v1:router-internal", 32)).toString("base64");
}

const webhookCheck = `
const { readFileSync } = require("node:fs");
const { request } = require("node:https");
const folder = "/var/run/secrets/kubernetes.io/serviceaccount/";
const read = (file) => readFileSync(folder + file, "utf8");
const body = JSON.stringify({
  apiVersion: "fission.io/v1", kind: "Environment", metadata: { name: "webhook-check" },
  spec: { version: 3, poolsize: 0, runtime: { image: "none" } },
});
const attempt = () => new Promise((done) => {
  const call = request({
    host: process.env.KUBERNETES_SERVICE_HOST, port: process.env.KUBERNETES_SERVICE_PORT, ca: read("ca.crt"),
    path: "/apis/fission.io/v1/namespaces/" + read("namespace") + "/environments?dryRun=All",
    method: "POST", timeout: 10000,
    headers: { authorization: "Bearer " + read("token"), "content-type": "application/json" },
  }, (answer) => {
    let text = "";
    answer.on("data", (part) => { text += part; });
    answer.on("end", () => done(answer.statusCode === 201 ? "" : text));
  });
  call.on("timeout", () => call.destroy(new Error("no answer within 10 s")));
  call.on("error", (error) => done(error.message));
  call.end(body);
});
(async () => {
  for (let problem; (problem = await attempt()); await new Promise((next) => setTimeout(next, 1000))) console.log(problem);
})();
`;
