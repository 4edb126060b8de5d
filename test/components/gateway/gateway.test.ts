import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import type { Binding } from "../../../components/core/binding.ts";
import { given } from "../../../components/core/given.ts";
import { Namespace } from "../../../components/core/namespace.ts";
import { deployments } from "../../../components/faas/deployments/deployments.ts";
import { Faas } from "../../../components/faas/faas.ts";
import { fission } from "../../../components/faas/fission/fission.ts";
import { Gateway, type GatewayArgs } from "../../../components/gateway/gateway.ts";
import { type Deployment, deploy } from "../../harness.ts";
import { submit } from "../faas/fixtures/contracts.ts";
import { problemsOf } from "../problems.ts";
import { childrenOf, consumerIn, known, leaks, secretOf, use } from "../wiring.ts";

const jwks = '{"keys":[]}';

const gatewayOf = (args: Partial<GatewayArgs> = {}, provider = fission()) => {
  const namespace = new Namespace("shop");
  const faas = new Faas("functions", { namespace, provider });
  return { namespace, submitFn: faas.fn(submit), gateway: new Gateway("api", { namespace, ...args }) };
};

// biome-ignore lint/suspicious/noExplicitAny: recorded inputs have no types
const only = (deployment: Deployment, kind: string, name: string): any =>
  deployment.resources.find(({ type, name: its }) => isObject.test(type) && type.endsWith(`:${kind}`) && its === name)
    ?.inputs;
const isObject = /^(kubernetes|tls|random):/;

const own = (deployment: Deployment) => childrenOf(deployment).filter((each) => / (api|submit)(-|$)/.test(each));

describe("Gateway", () => {
  let all: Deployment;
  let binding: Binding;
  let settings: { url: string; ca: string; keys: Record<string, string> };

  beforeAll(async () => {
    all = await deploy(async () => {
      const { namespace, submitFn, gateway } = gatewayOf({ hosts: ["api.example.org"] });
      gateway.route("POST /payments", submitFn, { clients: gateway.keys("kiosk", "web"), limit: "200 per second" });
      gateway.route("POST /old/:id", submitFn, {
        clients: gateway.keys("web"),
        to: "/new/:id",
        headers: { set: { "x-source": "old" }, remove: ["x-secret"] },
        answer: { set: { "x-answered": "yes" } },
        body: "64 KiB",
      });
      const tokens = gateway.tokens({ issuer: "https://bank.test", audiences: ["api"], keys: { jwks } });
      gateway.route("POST /older/:id", submitFn, { clients: gateway.keys("web"), to: "/new/:id" });
      gateway.route("GET /bank", submitFn, { clients: tokens });
      gateway.route("GET /open", submitFn, { clients: "anyone", limit: "10 per minute" });
      const { kiosk, web } = gateway.keys("kiosk", "web").keys;
      binding = given({ url: gateway.url, ca: gateway.ca, keys: pulumi.all({ kiosk, web }) }, gateway).bind(
        consumerIn(namespace, "verify"),
        use("settings", "read"),
      );
      settings = (await known(binding.settings)) as typeof settings;
    });
  });

  it("creates exactly these", () => {
    const route = (name: string, ...more: string[]) => [
      `BackendTrafficPolicy api-${name}-traffic`,
      `HTTPRoute api-${name}`,
      `SecurityPolicy api-${name}-clients`,
      ...more,
    ];
    expect(own(all).filter((each) => !/ (submit|api-(ca|ca-key|request))$/.test(each))).toEqual(
      [
        ...route("post-payments"),
        ...route("post-old-id", "HTTPRouteFilter api-post-old-id-path"),
        ...route("post-older-id", "HTTPRouteFilter api-post-older-id-path"),
        ...route("get-bank"),
        ...route("get-open"),
        "BackendTrafficPolicy api-traffic",
        "ClientTrafficPolicy api-requests",
        "EnvoyProxy api-proxies",
        "HTTPTrigger submit-api-get-bank",
        "HTTPTrigger submit-api-get-open",
        "HTTPTrigger submit-api-post-new-id",
        "HTTPTrigger submit-api-post-payments",
        "Gateway api",
        "LocallySignedCert api-certificate",
        "NetworkPolicy api-proxies",
        "NetworkPolicy api-to-fission-shop-egress",
        "NetworkPolicy api-to-fission-shop-ingress",
        "PrivateKey api-key",
        "RandomPassword api-host",
        "RandomPassword api-key-kiosk",
        "RandomPassword api-key-web",
        "ReferenceGrant api-to-fission-shop",
        "Secret api-certificate",
        "Secret api-key-kiosk",
        "Secret api-key-web",
        "SecurityPolicy api-nobody",
      ].sort(),
    );
  });

  it("creates nothing where a setting is wrong", async () => {
    const nothing = await deploy(() => {
      expect(problemsOf(() => gatewayOf({ replicas: 0 }))).toHaveLength(1);
    });
    expect(own(nothing).filter((each) => each.includes(" api"))).toEqual([]);
  });

  it("speaks TLS alone, with a certificate for its names", () => {
    const { spec } = only(all, "Gateway", "api");
    expect(spec.listeners).toHaveLength(1);
    expect(spec.listeners[0]).toMatchObject({ protocol: "HTTPS", port: 443, tls: { mode: "Terminate" } });
    expect(spec.gatewayClassName).toBe("fivefold");
    expect(only(all, "CertRequest", "api-request").dnsNames).toEqual(["localhost", "api.shop.svc", "api.example.org"]);
    expect(only(all, "Secret", "api-certificate").type).toBe("kubernetes.io/tls");
  });

  it("takes a certificate of one's own", async () => {
    const certificate = { certificate: "CERTIFICATE", key: "KEY", ca: "CA" };
    const deployment = await deploy(async () => expect(await known(gatewayOf({ certificate }).gateway.ca)).toBe("CA"));
    expect(secretOf(deployment, "api-certificate")).toEqual({
      "tls.crt": "CERTIFICATE",
      "tls.key": "KEY",
    });
    expect(only(deployment, "CertRequest", "api-request")).toBeUndefined();
  });

  it("lets nobody in where a route says nothing", () => {
    const { spec } = only(all, "SecurityPolicy", "api-nobody");
    expect(spec).toEqual({
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "api" }],
      authorization: { defaultAction: "Deny" },
    });
    expect(only(all, "SecurityPolicy", "api-get-open-clients").spec.authorization).toEqual({ defaultAction: "Allow" });
  });

  it("lets in the clients of a route by their keys, and tells the function who they are", () => {
    const auth = (route: string) => only(all, "SecurityPolicy", `api-${route}-clients`).spec.apiKeyAuth;
    expect(auth("post-payments")).toEqual({
      credentialRefs: [{ name: "api-key-kiosk" }, { name: "api-key-web" }],
      extractFrom: [{ headers: ["x-api-key"] }],
      forwardClientIDHeader: "x-client",
      sanitize: true,
    });
    expect(auth("post-old-id").credentialRefs).toEqual([{ name: "api-key-web" }]);
    expect(secretOf(all, "api-key-web")).toEqual({ web: "api-key-web-result" });
    expect(leaks(all, ["api-key-web-result", "api-key-kiosk-result"])).toEqual([]);
  });

  it("lets in clients by tokens of their issuer", () => {
    const { providers } = only(all, "SecurityPolicy", "api-get-bank-clients").spec.jwt;
    expect(providers).toEqual([
      {
        name: "issuer",
        issuer: "https://bank.test",
        audiences: ["api"],
        localJWKS: { type: "Inline", inline: jwks },
        claimToHeaders: [{ claim: "sub", header: "x-client" }],
        extractFrom: { headers: [{ name: "Authorization", valuePrefix: "Bearer " }] },
      },
    ]);
  });

  it("fetches keys of tokens where the issuer publishes them", async () => {
    const keys = "https://login.example.org/keys";
    const deployment = await deploy(() => {
      const { gateway, submitFn } = gatewayOf();
      gateway.route("GET /a", submitFn, { clients: gateway.tokens({ issuer: "a", keys }) });
      gateway.route("GET /b", submitFn, { clients: gateway.tokens({ issuer: "b", keys }) });
    });
    const { providers } = only(deployment, "SecurityPolicy", "api-get-a-clients").spec.jwt;
    expect(providers[0].remoteJWKS).toEqual({ uri: keys });
    expect(only(deployment, "NetworkPolicy", "api-to-issuer-egress").spec.egress).toEqual([
      { ports: [{ protocol: "TCP", port: 443 }] },
    ]);
  });

  it("takes from nobody the headers by which functions know who calls", () => {
    const { earlyRequestHeaders } = only(all, "ClientTrafficPolicy", "api-requests").spec.headers;
    expect(earlyRequestHeaders).toEqual({
      remove: ["x-client"],
      removeOnMatch: [{ type: "Prefix", value: "x-fission-" }],
    });
  });

  it("limits each client, or all together where they have no names", () => {
    const rules = (route: string) =>
      only(all, "BackendTrafficPolicy", `api-${route}-traffic`).spec.rateLimit?.local.rules;
    expect(rules("post-payments")).toEqual([
      {
        clientSelectors: [{ headers: [{ name: "x-client", type: "Distinct" }] }],
        limit: { requests: 200, unit: "Second" },
      },
      { limit: { requests: 200, unit: "Second" } },
    ]);
    expect(rules("get-open")).toEqual([{ limit: { requests: 10, unit: "Minute" } }]);
    expect(rules("get-bank")).toBeUndefined();
  });

  it("limits what a request carries and how long it takes", () => {
    const limit = (route: string) => only(all, "BackendTrafficPolicy", `api-${route}-traffic`).spec.requestBuffer.limit;
    expect([limit("post-payments"), limit("post-old-id")]).toEqual(["1048576", "65536"]);
    // See `backendTraffic`.
    expect(only(all, "BackendTrafficPolicy", "api-get-bank-traffic").spec).not.toHaveProperty("timeout");
    expect(only(all, "BackendTrafficPolicy", "api-traffic").spec.timeout.http).toEqual({
      connectionIdleTimeout: "20s",
    });
    const { functionTimeout } = only(all, "Function", "submit").spec;
    const [rule] = only(all, "HTTPRoute", "api-post-payments").spec.rules;
    expect(rule.timeouts).toEqual({ request: `${functionTimeout + 5}s` });
  });

  it("leads to Fission's router by a host that is a secret", () => {
    const [rule] = only(all, "HTTPRoute", "api-post-payments").spec.rules;
    expect(rule.matches).toEqual([{ method: "POST", path: { type: "Exact", value: "/payments" } }]);
    expect(rule.backendRefs).toEqual([{ name: "router", namespace: "fission", port: 80 }]);
    expect(rule.filters).toEqual([{ type: "URLRewrite", urlRewrite: { hostname: "submit.api-host-result" } }]);
    const { spec } = only(all, "HTTPTrigger", "submit-api-post-payments");
    expect(spec).toMatchObject({ host: "submit.api-host-result", relativeurl: "/payments", methods: ["POST"] });
    const { upper, special, length } = only(all, "RandomPassword", "api-host");
    expect({ upper, special, length }).toEqual({ upper: false, special: false, length: 32 });
  });

  it("may name the router's service, and its proxies may reach it", () => {
    const grant = only(all, "ReferenceGrant", "api-to-fission-shop");
    expect(grant.metadata).toEqual({ name: "shop-api", namespace: "fission" });
    expect(grant.spec).toEqual({
      from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "shop" }],
      to: [{ group: "", kind: "Service", name: "router" }],
    });
    const { spec } = only(all, "NetworkPolicy", "api-to-fission-shop-ingress");
    expect(spec.ingress[0].ports).toEqual([{ protocol: "TCP", port: 8888 }]);
    expect(spec.ingress[0].from[0].podSelector.matchLabels).toMatchObject({
      "gateway.envoyproxy.io/owning-gateway-name": "api",
    });
  });

  it("changes path and headers", () => {
    const [{ filters, matches }] = only(all, "HTTPRoute", "api-post-old-id").spec.rules;
    expect(matches[0].path).toEqual({ type: "RegularExpression", value: "/old/[^/]+" });
    expect(filters).toEqual([
      { type: "URLRewrite", urlRewrite: { hostname: "submit.api-host-result" } },
      {
        type: "ExtensionRef",
        extensionRef: { group: "gateway.envoyproxy.io", kind: "HTTPRouteFilter", name: "api-post-old-id" },
      },
      {
        type: "RequestHeaderModifier",
        requestHeaderModifier: { set: [{ name: "x-source", value: "old" }], remove: ["x-secret"] },
      },
      { type: "ResponseHeaderModifier", responseHeaderModifier: { set: [{ name: "x-answered", value: "yes" }] } },
    ]);
    expect(only(all, "HTTPRouteFilter", "api-post-old-id-path").spec.urlRewrite.path.replaceRegexMatch).toEqual({
      pattern: "^/old/([^/]+)$",
      substitution: "/new/\\1",
    });
    expect(only(all, "HTTPTrigger", "submit-api-post-new-id").spec.relativeurl).toBe("/new/{id}");
  });

  it("leads to a Deployment as well, without Fission", async () => {
    const deployment = await deploy(() => {
      const { gateway, submitFn } = gatewayOf({}, deployments());
      gateway.route("POST /payments", submitFn, { clients: "anyone", to: "/submit" });
      expect(problemsOf(() => gateway.route("GET /:id", submitFn, { clients: "anyone" }))).toEqual([
        'request "GET /:id": Deployments know no variables in paths; use fission()',
      ]);
    });
    const [rule] = only(deployment, "HTTPRoute", "api-post-payments").spec.rules;
    expect(rule.backendRefs).toEqual([{ name: "submit", namespace: "shop", port: 8080 }]);
    expect(rule.filters).toEqual([
      { type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: "/submit" } } },
    ]);
    expect(only(deployment, "NetworkPolicy", "api-to-submit-ingress")).toBeDefined();
    expect(deployment.resources.filter(({ type }) => type.includes("fission"))).toEqual([]);
  });

  it("keeps its proxies restricted and small", () => {
    const { envoyDeployment, envoyService } = only(all, "EnvoyProxy", "api-proxies").spec.provider.kubernetes;
    expect(envoyService).toEqual({ type: "ClusterIP" });
    const [, manager] = envoyDeployment.patch.value.spec.template.spec.containers;
    for (const container of [envoyDeployment.container, manager]) {
      expect(container.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
        runAsNonRoot: true,
      });
      expect(container.resources.limits.memory).toMatch(/Mi$/);
    }
  });

  it("logs neither paths nor hosts, for they may be secret", () => {
    const [{ format }] = only(all, "EnvoyProxy", "api-proxies").spec.telemetry.accessLog.settings;
    expect(Object.values(format.json).join(" ")).not.toMatch(/PATH|AUTHORITY|HOST/i);
  });

  it("gives the verifier what clients have", async () => {
    expect(settings).toMatchObject({
      url: "https://api.shop.svc",
      keys: { kiosk: "api-key-kiosk-result", web: "api-key-web-result" },
    });
    const { spec } = only(all, "NetworkPolicy", "verify-to-api-ingress");
    expect(spec.ingress[0].ports).toEqual([{ protocol: "TCP", port: 10443 }]);
  });

  it("hands out keys, as secrets", async () => {
    await deploy(async () => {
      const { web } = gatewayOf().gateway.keys("web").keys;
      expect(await known(web)).toBe("api-key-web-result");
    });
  });

  it("knows its clients from those of others", async () => {
    await deploy(() => {
      const { gateway, submitFn, namespace } = gatewayOf();
      const clients = new Gateway("other", { namespace }).keys("web");
      expect(problemsOf(() => gateway.route("GET /a", submitFn, { clients }))).toEqual([
        'clients: they are those of the gateway "other"',
      ]);
      expect(problemsOf(() => gateway.keys("web", "web"))).toEqual(["clients: name each once, got web, web"]);
      expect(problemsOf(() => gateway.keys("Web"))).toHaveLength(1);
      const wrong = { issuer: "", keys: "https://" as const, client: "a b" };
      expect(problemsOf(() => gateway.tokens(wrong))).toHaveLength(3);
    });
  });
});
