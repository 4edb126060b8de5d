import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { envoyGateway, gatewayApi, images } from "../../../components/core/versions.ts";
import { repository } from "../../../local/paths.ts";
import { programs, versions } from "../../../local/toolchain/programs.ts";

const folder = join(repository, "local/programs");
const { dependencies } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));

it("knows every folder of programs", () => {
  expect(Object.keys(programs).sort()).toEqual(readdirSync(folder).sort());
});

it.each(Object.entries(versions))("has the version of %s that the npm package has", (name, version) => {
  expect(dependencies[`@pulumi/${name}`]).toBe(version);
});

it("reports the release of Kubernetes that it is built from", () => {
  const release = /k8s\.io\/kubernetes v(\S+)/.exec(readFileSync(join(folder, "node/go.mod"), "utf8"))?.[1];
  expect(programs.node.variables).toContain(`k8s.io/component-base/version.gitVersion=v${release}`);
});

it("reports the release of Envoy Gateway that it is built from, which is that of the image and the chart", () => {
  const mod = readFileSync(join(folder, "envoy-gateway/go.mod"), "utf8");
  expect(mod).toContain(`github.com/envoyproxy/gateway v${envoyGateway.version} `);
  expect(mod).toContain(`sigs.k8s.io/gateway-api v${gatewayApi.version} `);
  expect(programs["envoy-gateway"].variables[0]).toMatch(`=v${envoyGateway.version}`);
  expect(images.envoyGateway).toMatch(`:v${envoyGateway.version}`);
});

describe.each(Object.keys(programs))("%s", (name) => {
  it("is pinned by a go.sum", () => {
    expect(existsSync(join(folder, name, "go.sum"))).toBe(true);
  });

  it("holds nothing that is made while building", () => {
    expect(
      readdirSync(join(folder, name)).filter((f) => !/^(go\.(mod|sum)|main\.go|shim|pulumi-language-nodejs)$/.test(f)),
    ).toEqual([]);
  });
});
