import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { step } from "../../local/log.ts";

let said: string[];
beforeEach(() => {
  said = [];
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("says when a step starts, that it goes on, and how long it took", async () => {
  const result = await step("Building", async () => {
    vi.advanceTimersByTime(61_500);
    return 1;
  });
  expect(result).toBe(1);
  expect(said).toEqual([
    "Building ...\n",
    "Building ... 30 s so far\n",
    "Building ... 60 s so far\n",
    "Building: done in 61.5 s\n",
  ]);
  vi.advanceTimersByTime(60_000);
  expect(said).toHaveLength(4);
});

it("says that a step failed, and passes the error on", async () => {
  await expect(step("Building", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(said.at(-1)).toBe("Building: failed after 0 s\n");
});
