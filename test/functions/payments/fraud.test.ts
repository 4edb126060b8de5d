import { describe, expect, it, onTestFinished, vi } from "vitest";
import { handleRequest } from "../../../functions/kit/testing.ts";
import { FraudQuestion } from "../../../functions/payments/events.ts";
import fraud from "../../../functions/payments/fraud.ts";
import { purchase } from "./fakes.ts";

const question = FraudQuestion.parse(purchase);
const ask = (behaviour = {}) =>
  handleRequest(fraud, question, { behaviour: { latencyMilliseconds: 0, errors: 0, silences: 0, ...behaviour } });

describe("the fraud API", () => {
  it("scores a payment", async () => {
    expect(await ask()).toMatchObject({ status: 200, body: { score: 5, signs: [] } });
  });

  it("takes as long as it is told to", async () => {
    const began = performance.now();
    await ask({ latencyMilliseconds: 100 });
    expect(performance.now() - began).toBeGreaterThan(95);
  });

  it("fails as often as it is told to", async () => {
    vi.spyOn(Math, "random").mockReturnValueOnce(0.19).mockReturnValueOnce(0.2);
    onTestFinished(() => void vi.restoreAllMocks());
    expect(await ask({ errors: 0.2 })).toMatchObject({ status: 500 });
    expect(await ask({ errors: 0.2 })).toMatchObject({ status: 200 });
  });

  it("is silent when it is told to be", async () => {
    const answer = ask({ silences: 1 }).catch(() => "timed out");
    expect(await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200, "silent"))])).toBe("silent");
  });
});
