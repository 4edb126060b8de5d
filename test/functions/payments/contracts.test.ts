import { describe, expect, it } from "vitest";
import { FraudApi, FraudBehaviour, ParseKeys } from "../../../functions/payments/contracts.ts";

const long = "k".repeat(32);

describe("settings", () => {
  it("have defaults", () => {
    expect(FraudBehaviour.parse({})).toEqual({ latencyMilliseconds: 5, errors: 0, silences: 0 });
    const url = "http://fraud.payments.svc:8080/scores";
    expect(FraudApi.parse({ url })).toEqual({ url, timeoutMilliseconds: 300 });
    expect(ParseKeys.parse({ tokens: long, wallets: [long] })).toEqual({ tokens: long, wallets: [long] });
  });

  it.each([
    [FraudApi, {}],
    [FraudApi, { url: "fraud" }],
    [FraudApi, { url: "ftp://fraud/scores" }],
    [FraudApi, { url: "http://fraud", timeoutMilliseconds: 0 }],
    [FraudApi, { url: "http://fraud", timeoutMilliseconds: 5_000 }],
    [FraudBehaviour, { errors: 1.1 }],
    [FraudBehaviour, { latencyMilliseconds: -1 }],
    [ParseKeys, { tokens: long, wallets: [] }],
    [ParseKeys, { tokens: "short", wallets: [long] }],
    [ParseKeys, { tokens: long, wallets: ["short"] }],
  ])("that are wrong are refused: %#", (schema, settings) => expect(schema.safeParse(settings).success).toBe(false));
});
