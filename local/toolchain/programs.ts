/** How a folder of `local/programs` is built. */
export interface GoProgram {
  /** What the user reads while it is built. */
  readonly title: string;
  readonly packages: readonly string[];
  /** Values for variables of the program, as `-X` takes them. */
  readonly variables?: readonly string[];
  /** The module that `embed` and `copy` take from. Both say where a thing lies there, and what it is called here. */
  readonly module?: string;
  /** What `main.go` embeds. */
  readonly embed?: Readonly<Record<string, string>>;
  /** What is put beside the built programs. */
  readonly copy?: Readonly<Record<string, string>>;
  /** The same of further modules. */
  readonly copyFrom?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Files of the program's own folder that are put beside the built programs. */
  readonly scripts?: readonly string[];
  readonly rename?: { readonly from: string; readonly to: string };
  /** Further names by which the program is called. */
  readonly links?: { readonly to: string; readonly names: readonly string[] };
}

/** The versions of the CLI and of its plugins. They are those of the npm packages in package.json. */
export const versions = {
  pulumi: "3.246.0",
  kubernetes: "4.27.0",
  kafka: "3.13.2",
  random: "4.19.0",
  tls: "5.6.1",
} as const;

/** The release that `local/programs/node/go.mod` names. */
const kubernetesVersion = "1.35.4";

/** The release that `local/programs/envoy-gateway/go.mod` names. */
const envoyGatewayVersion = "1.9.1";

const envoyGateway = "github.com/envoyproxy/gateway";

const kubernetesProvider = "github.com/pulumi/pulumi-kubernetes/provider/v4";

export const programs = {
  node: {
    title: `Kubernetes ${kubernetesVersion}`,
    packages: ["."],
    variables: ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((version) => [
      `${version}.gitVersion=v${kubernetesVersion}`,
      `${version}.gitMajor=${kubernetesVersion.split(".")[0]}`,
      `${version}.gitMinor=${kubernetesVersion.split(".")[1]}`,
    ]),
    links: {
      to: "node",
      names: [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
        "kubectl",
      ],
    },
  },
  coredns: { title: "CoreDNS", packages: ["."] },
  volumes: { title: "the volume provisioner", packages: ["github.com/rancher/local-path-provisioner"] },
  fission: {
    title: "Fission",
    packages: ["github.com/fission/fission/cmd/fission-bundle", "github.com/fission/fission/cmd/fetcher"],
    module: "github.com/fission/fission",
    copy: { "charts/fission-all": "chart", "crds/v1": "crds" },
  },
  "envoy-gateway": {
    title: `Envoy Gateway ${envoyGatewayVersion}`,
    packages: [`${envoyGateway}/cmd/envoy-gateway`],
    variables: [`${envoyGateway}/internal/cmd/version.envoyGatewayVersion=v${envoyGatewayVersion}`],
    module: envoyGateway,
    copy: {
      "charts/gateway-helm": "chart",
      // Its variables are for images, which are always named.
      "charts/gateway-helm/values.tmpl.yaml": "chart/values.yaml",
      "charts/gateway-helm/charts/crds/crds/generated": "crds",
    },
    copyFrom: { "sigs.k8s.io/gateway-api": { "config/crd/standard": "gateway-api" } },
  },
  pulumi: {
    title: "the Pulumi CLI",
    packages: ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"],
    variables: [`github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${versions.pulumi}`],
    scripts: ["pulumi-language-nodejs"],
  },
  kubernetes: {
    title: "Pulumi's Kubernetes plugin",
    packages: ["."],
    variables: [`${kubernetesProvider}/pkg/version.Version=${versions.kubernetes}`],
    module: kubernetesProvider,
    embed: {
      "cmd/pulumi-resource-kubernetes/schema.json": "schema.json",
      "cmd/pulumi-resource-kubernetes/terraform-mapping.json": "mapping.json",
    },
    rename: { from: "kubernetes", to: "pulumi-resource-kubernetes" },
  },
  kafka: {
    title: "Pulumi's Kafka plugin",
    packages: ["."],
    variables: [`main.version=${versions.kafka}`],
    rename: { from: "kafka", to: "pulumi-resource-kafka" },
  },
  random: {
    title: "Pulumi's Random plugin",
    packages: ["."],
    variables: [`main.version=${versions.random}`],
    rename: { from: "random", to: "pulumi-resource-random" },
  },
  tls: {
    title: "Pulumi's TLS plugin",
    packages: ["."],
    variables: [`main.version=${versions.tls}`],
    rename: { from: "tls", to: "pulumi-resource-tls" },
  },
} as const satisfies Record<string, GoProgram>;

export type ProgramName = keyof typeof programs;
