import { describe, expect, it } from "vitest";
import { gatewayDefaults, routeDefaults } from "../../../components/gateway/defaults.ts";
import {
  type GatewaySettings,
  planGateway,
  planGatewayRoute,
  type RouteParts,
  type RouteSettings,
} from "../../../components/gateway/plan.ts";
import { documentedDefaults } from "../documented.ts";
import { problemsOf } from "../problems.ts";

const post = (path: `/${string}`): RouteParts => ({ method: "POST", path });
const plan = (path: `/${string}`, settings: RouteSettings = {}) =>
  planGatewayRoute("api", post(path), settings, post(settings.to ?? path));

describe("planGateway", () => {
  it("fills in what is not said", () => {
    expect(planGateway("api", {})).toEqual({
      serviceType: "ClusterIP",
      hosts: [],
      http2: false,
      replicas: 1,
      memory: "256Mi",
    });
  });

  it("has the defaults that it documents", () => {
    expect(documentedDefaults("components/gateway/plan.ts")).toEqual({ ...gatewayDefaults, ...routeDefaults });
  });

  it.each<[string, GatewaySettings, string]>([
    ["api", { replicas: 0 }, "replicas: must be 1 or more, got 0"],
    ["api", { memory: "32 MiB" }, 'memory: a proxy needs "64 MiB" or more, got "32 MiB"'],
    ["api", { memory: "64m" as never }, 'memory: write a size such as "10 GiB", got "64m"'],
    ["api", { hosts: ["a_b"] }, 'hosts: write a host name such as "api.example.org", got "a_b"'],
    ["api", { exposure: "world" as never }, 'exposure: write "cluster" or "load-balancer", got "world"'],
    ["Api", {}, 'name: write up to 40 lower-case letters, digits and dashes, starting with a letter, got "Api"'],
  ])("refuses %s %j", (name, settings, problem) => {
    expect(problemsOf(() => planGateway(name, settings))).toEqual([problem]);
  });

  it("is reached from outside where that is asked for", () => {
    expect(planGateway("api", { exposure: "load-balancer" }).serviceType).toBe("LoadBalancer");
  });
});

describe("planGatewayRoute", () => {
  it("matches a path exactly, or each variable by one segment", () => {
    expect(plan("/payments/v1.2")).toEqual({
      name: "post-payments-v1-2",
      match: { method: "POST", path: { type: "Exact", value: "/payments/v1.2" } },
      body: "1048576",
    });
    expect(plan("/v1.2/:kind/items/:id").match.path).toEqual({
      type: "RegularExpression",
      value: "/v1\\.2/[^/]+/items/[^/]+",
    });
  });

  it.each<[RouteSettings["limit"], object]>([
    ["200 per second", { requests: 200, unit: "Second" }],
    ["1 per minute", { requests: 1, unit: "Minute" }],
    ["5000 per hour", { requests: 5000, unit: "Hour" }],
  ])("reads the limit %s", (limit, expected) => {
    expect(plan("/a", { ...(limit && { limit }) }).limit).toEqual(expected);
  });

  it("leads to another path, with the route's variables where they are wanted", () => {
    expect(plan("/old/:id", { to: "/new" }).rewrite).toEqual({ fullPath: "/new" });
    const { rewrite } = plan("/v1.0/:kind/:id", { to: "/items/:id/of/:kind" });
    expect(rewrite).toEqual({ pattern: "^/v1\\.0/([^/]+)/([^/]+)$", substitution: "/items/\\2/of/\\1" });
    expect(plan("/same", { to: "/same" })).not.toHaveProperty("rewrite");
  });

  it("does with a path what the pattern and the substitution say", () => {
    const { rewrite } = plan("/old/:kind/:id", { to: "/new/:id/of/:kind" });
    if (!rewrite || "fullPath" in rewrite) throw new Error("no pattern");
    const substitution = rewrite.substitution.replaceAll("\\", "$");
    expect("/old/card/17".replace(new RegExp(rewrite.pattern), substitution)).toBe("/new/17/of/card");
  });

  it.each<[RouteSettings, string]>([
    [{ limit: "0 per second" }, 'limit: write a limit such as "200 per second", got "0 per second"'],
    [{ limit: "1.5 per second" }, 'limit: write a limit such as "200 per second", got "1.5 per second"'],
    [{ limit: "9999999999 per second" }, 'limit: write a limit such as "200 per second", got "9999999999 per second"'],
    [{ body: "2 MiB" }, 'body: functions take "1 MiB" at most, got "2 MiB"'],
    [{ body: "1MB" as never }, 'body: write a size such as "10 GiB", got "1MB"'],
    [{ to: "/b/:id" }, 'to: the route has no variable ":id"'],
    [{ headers: { set: { "a b": "" } } }, 'headers: write names such as "x-request-source", got "a b"'],
    [{ answer: { remove: ["ä"] } }, 'answer: write names such as "x-request-source", got "ä"'],
  ])("refuses %j", (settings, problem) => {
    expect(problemsOf(() => plan("/a", settings))).toEqual([problem]);
  });
});
