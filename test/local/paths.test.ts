import { afterEach, describe, expect, it, vi } from "vitest";
import { contextFolder, instanceFolder, instanceName } from "../../local/paths.ts";

afterEach(() => vi.unstubAllEnvs());

describe("instanceName", () => {
  it.each(["fivefold", "fivefold-test", "a1"])("takes %s", (name) => {
    vi.stubEnv("FIVEFOLD_INSTANCE", name);
    expect(instanceName()).toBe(name);
  });

  it.each(["", "Upper", "1st", "a/b", "..", "a b", "context-x", "a".repeat(32)])("refuses %j", (name) => {
    vi.stubEnv("FIVEFOLD_INSTANCE", name);
    expect(() => instanceName()).toThrow(/FIVEFOLD_INSTANCE is ".*"\.\nUse /);
  });

  it("has a default", () => {
    vi.stubEnv("FIVEFOLD_INSTANCE", undefined);
    expect(instanceName()).toBe("fivefold");
  });
});

it("keeps a context's folder inside the data folder, whatever the context is called", () => {
  const folder = contextFolder("arn:aws:eks:eu:1:cluster/../../x");
  expect(folder.split("/").length).toBe(instanceFolder("x").split("/").length);
});
