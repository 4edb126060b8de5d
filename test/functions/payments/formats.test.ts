import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { describe, expect, it } from "vitest";
import { BadInput } from "../../../functions/kit/errors.ts";
import { tokenise } from "../../../functions/payments/card.ts";
import { FrontEnd, Purchase } from "../../../functions/payments/events.ts";
import { readPurchase } from "../../../functions/payments/formats.ts";
import { requestOf, type Sale } from "../../../functions/payments/front-ends/front-end.ts";
import { decodeMessage, encodeMessage, type Fields } from "../../../functions/payments/iso8583.ts";

const key = "k".repeat(32);
const now = Date.parse("2026-11-23T12:00:05Z");
const number = "4111111111111111";
const sale: Sale = {
  frontEnd: "shop",
  reference: "order-1",
  merchant: "M-001",
  amount: 49_90,
  currency: "EUR",
  card: { number, expires: "2030-12" },
  location: { country: "DE", city: "Berlin" },
  age: 40,
  at: "2026-11-23T12:00:00.000Z",
};
const terminalSale: Sale = { ...sale, frontEnd: "terminal", reference: "TERM0001.RRN000000001" };
const walletSale: Sale = { ...sale, frontEnd: "wallet", reference: "0b9f7d2e-1c55-4d43-8f6b-6a3c1f4e2d11" };
const sales = { terminal: terminalSale, shop: sale, wallet: walletSale };

const token = tokenise(number, key).token;
const purchaseOf = ({ frontEnd, reference }: Sale) => ({
  key: `${frontEnd}:M-001:${reference}`,
  frontEnd,
  reference,
  merchant: "M-001",
  amount: 49_90,
  currency: "EUR",
  card: { token, lastFour: "1111", network: "visa", expires: "2030-12" },
  location: { country: "DE", city: "Berlin" },
  customer: { age: 40 },
  at: "2026-11-23T12:00:00.000Z",
});

const read = (frontEnd: FrontEnd, payload: string) => readPurchase(frontEnd, payload, { key, now });
const payloadOf = (of: Sale) => requestOf(of, { signingKey: key }).body;

function refuses(frontEnd: FrontEnd, payload: string, reason: string) {
  const error = (() => {
    try {
      return read(frontEnd, payload);
    } catch (error) {
      return error;
    }
  })();
  expect(error).toBeInstanceOf(BadInput);
  expect((error as Error).message).toContain(reason);
}

describe.each(FrontEnd.options)("%s", (frontEnd) => {
  const of = sales[frontEnd];

  it("means the same purchase as every other", () => {
    expect(read(frontEnd, payloadOf(of))).toEqual(purchaseOf(of));
  });

  it("may leave out age and city", () => {
    const { age: _, ...rest } = of;
    const { customer, location } = read(frontEnd, payloadOf({ ...rest, location: { country: "FR" } }));
    expect(customer).toEqual({});
    expect(location).toEqual({ country: "FR" });
  });

  it.each<[string, Partial<Sale>, string]>([
    ["a wrong check digit", { card: { ...of.card, number: "4111111111111112" } }, "The card number is wrong"],
    ["a card of nobody", { card: { ...of.card, number: "9999999999999995" } }, "The card number is wrong"],
    ["a card number that is too short", { card: { ...of.card, number: "41111111114" } }, "The card number is wrong"],
    [
      "UnionPay's without a check digit",
      { card: { ...of.card, number: "6212345678900001" } },
      "The card number is wrong",
    ],
    ["no amount", { amount: 0 }, "amount: Too small"],
    ["no country", { location: { country: "  " } }, "location.country: must be two capital letters"],
    ["small letters as country", { location: { country: "de" } }, "location.country: must be two capital letters"],
    ["a merchant in small letters", { merchant: "m-001" }, "merchant: must be 1 to 15"],
    ["no merchant", { merchant: "" }, "merchant: must be 1 to 15"],
    ["a month 13", { card: { number, expires: "2030-13" } }, "onth"],
    ["somebody of 131 years", { age: 131 }, "age: Too big"],
  ])("with %s is refused", (_, changed, reason) => {
    refuses(frontEnd, payloadOf({ ...of, ...changed }), reason);
  });

  it.each(["", " ", "hello", "{", "[]", "null", "7", '"x"', "{}", "00", "ff".repeat(20)])("is not %j", (payload) => {
    expect(() => read(frontEnd, payload)).toThrow(BadInput);
  });
});

describe("terminal", () => {
  const fields = decodeMessage(Buffer.from(payloadOf(terminalSale), "hex"));
  const hex = (changed: Partial<Record<number, string | undefined>>) => {
    const present = Object.entries({ ...fields, ...changed }).filter(([, value]) => value !== undefined);
    return encodeMessage(Object.fromEntries(present) as Fields).toString("hex");
  };

  it.each<[string, Partial<Record<number, string | undefined>>]>([
    ["sent again", { 0: "0101" }],
    ["a financial request", { 0: "0200" }],
    ["a financial request sent again", { 0: "0201" }],
    ["the magnetic stripe", { 2: undefined, 14: undefined, 35: `${number}=30122010000012345678` }],
    ["card and stripe", { 35: `${number}D3012201` }],
    ["a PIN", { 52: "0123456789abcdef" }],
    ["an authentication code", { 128: "0123456789abcdef" }],
  ])("%s is the same purchase", (_, changed) => {
    expect(read("terminal", hex(changed))).toEqual(purchaseOf(terminalSale));
  });

  it("may write hexadecimal in capitals, and end the line", () => {
    expect(read("terminal", `${hex({}).toUpperCase()}\r\n`)).toEqual(purchaseOf(terminalSale));
  });

  it.each([
    ["1231235959", "2026-01-01T00:00:05Z", "2025-12-31T23:59:59.000Z"],
    ["0101000005", "2026-12-31T23:59:59Z", "2027-01-01T00:00:05.000Z"],
    ["0229120000", "2028-03-01T00:00:00Z", "2028-02-29T12:00:00.000Z"],
  ])("means by %s, at %s, %s", (said, at, meant) => {
    expect(readPurchase("terminal", hex({ 7: said }), { key, now: Date.parse(at) }).at).toBe(meant);
  });

  it.each<[string, Partial<Record<number, string | undefined>>, string]>([
    ["an answer", { 0: "0110" }, "the message is no request for a payment"],
    ["a reversal", { 0: "0400" }, "the message is no request for a payment"],
    ["a refund", { 3: "200000" }, "field 3 is not that of a purchase"],
    ["no card", { 2: undefined }, "fields 2 and 14, or 35, are missing"],
    ["no expiry", { 14: undefined }, "fields 2 and 14, or 35, are missing"],
    ["another card on the stripe", { 35: "5555555555554444=3012" }, "fields 2 and 35 are of different cards"],
    ["a broken stripe", { 35: "==" }, "field 35 is no track 2"],
    ["no amount", { 4: undefined }, "field 4 is missing"],
    ["no reference", { 37: undefined }, "field 37 is missing"],
    ["no terminal", { 41: undefined }, "field 41 is missing"],
    ["no merchant", { 42: undefined }, "field 42 is missing"],
    ["no place", { 43: undefined }, "field 43 is missing"],
    ["no currency", { 49: undefined }, "field 49 is missing"],
    ["an unknown currency", { 49: "392" }, "currency: Invalid option"],
    ["a day that does not exist", { 7: "0230120000" }, "at: Invalid input"],
    ["an hour that does not exist", { 7: "1123250000" }, "at: Invalid input"],
    ["a blank in the reference", { 37: "RRN 00000001" }, "reference: must be"],
    ["a colon in the terminal", { 41: "TERM:001" }, "reference: must be"],
  ])("with %s is refused", (_, changed, reason) => refuses("terminal", hex(changed), `ISO 8583: ${reason}`));

  it("is refused where it is cut, wherever", () => {
    const whole = payloadOf(terminalSale);
    for (let length = 0; length < whole.length; length++) {
      expect(() => read("terminal", whole.slice(0, length)), `${length}`).toThrow(BadInput);
    }
  });

  it("never crashes, hangs or quotes the card, whatever is done to its bytes", { timeout: 60_000 }, () => {
    const random = xoroshiro128plus(8583);
    const upTo = (most: number) => uniformInt(random, 0, most);
    const whole = Buffer.from(payloadOf(terminalSale), "hex");
    const mutations: ((bytes: Buffer) => Buffer)[] = [
      (bytes) => Buffer.from(bytes).fill(upTo(255), upTo(bytes.length), undefined),
      (bytes) => bytes.subarray(0, upTo(bytes.length)),
      (bytes) => Buffer.concat([bytes, bytes.subarray(upTo(bytes.length))]),
      (bytes) => Buffer.concat([bytes.subarray(0, 4), Buffer.from([upTo(255)]), bytes.subarray(5)]),
      (bytes) => {
        const at = upTo(bytes.length);
        return Buffer.concat([bytes.subarray(0, at), Buffer.from([upTo(255)]), bytes.subarray(at)]);
      },
      (bytes) => {
        const at = upTo(bytes.length);
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + upTo(3))]);
      },
      (bytes) => {
        const changed = Buffer.from(bytes);
        if (changed.length > 0) changed[upTo(changed.length - 1)] = upTo(255);
        return changed;
      },
      (bytes) => {
        const changed = Buffer.from(bytes);
        // A digit for another: what is left may be a message.
        if (changed.length > 0) changed[upTo(changed.length - 1)] = 0x30 + upTo(9);
        return changed;
      },
    ];
    const count = { taken: 0, refused: 0 };
    for (let round = 0; round < 5_000; round++) {
      let bytes: Buffer = whole;
      for (let times = upTo(3); times >= 0; times--) bytes = mutations[upTo(mutations.length - 1)]!(bytes);
      const began = performance.now();
      try {
        const taken = read("terminal", bytes.toString("hex"));
        expect(Purchase.safeParse(taken).success).toBe(true);
        expect(JSON.stringify(taken)).not.toContain(number);
        count.taken++;
      } catch (error) {
        if (!(error instanceof BadInput)) throw error;
        expect(error.message).not.toMatch(/\d{8}/);
        count.refused++;
      }
      expect(performance.now() - began).toBeLessThan(1_000);
    }
    expect(count.refused).toBeGreaterThan(4_000);
    expect(count.taken).toBeGreaterThan(50);
  });
});

describe.each([
  ["shop" as const, sale],
  ["wallet" as const, walletSale],
])("JSON of the %s", (frontEnd, of) => {
  const good = JSON.parse(payloadOf(of));

  it("may say more than is asked for", () => {
    const more = { ...good, __proto__: null, note: "x", card: { ...good.card, securityCode: "123", cvv: "123" } };
    const purchase = read(frontEnd, JSON.stringify(more));
    expect(purchase).toEqual(purchaseOf(of));
  });

  it("may write the card number in groups", () => {
    const field = frontEnd === "shop" ? "number" : "pan";
    const card = { ...good.card, [field]: "4111-1111 1111-1111" };
    expect(read(frontEnd, JSON.stringify({ ...good, card }))).toEqual(purchaseOf(of));
  });

  it("may say the time in another zone", () => {
    expect(read(frontEnd, JSON.stringify({ ...good, at: "2026-11-23T13:00:00+01:00" }))).toEqual(purchaseOf(of));
  });

  it("cannot change what all objects have", () => {
    const text = payloadOf(of).replace("{", '{"__proto__":{"amount":1,"polluted":1},"constructor":{"prototype":{}},');
    expect(read(frontEnd, text)).toEqual(purchaseOf(of));
    expect({}).not.toHaveProperty("polluted");
  });

  it.each(Object.keys(good).filter((name) => name !== "holder"))("is refused without %s", (name) => {
    refuses(frontEnd, JSON.stringify({ ...good, [name]: undefined }), `${name}: Invalid input`);
  });

  it.each(Object.keys(good))("is refused with null as %s", (name) => {
    refuses(frontEnd, JSON.stringify({ ...good, [name]: null }), `${name}: Invalid input`);
  });

  it("is refused where the card number is also the reference, or part of it", () => {
    for (const reference of [number, `order-${number}`]) {
      refuses(frontEnd, payloadOf({ ...of, reference }), "the card number is in a field that must not hold it");
    }
  });

  it.each([
    ["a reference with a colon", "a:b"],
    ["an empty reference", ""],
    ["an endless reference", "x".repeat(65)],
    ["a reference of two lines", "a\nb"],
  ])("is refused with %s", (_, reference) => refuses(frontEnd, payloadOf({ ...of, reference }), "reference: must be"));
});

describe("shop", () => {
  const good = JSON.parse(payloadOf(sale));

  it.each([
    ["1986-11-23", 40],
    ["1986-11-24", 39],
    ["2026-11-23", 0],
  ])("makes of somebody born on %s one of %i years", (born, age) => {
    const customer = { ...good.customer, born };
    expect(read("shop", JSON.stringify({ ...good, customer })).customer).toEqual({ age });
  });

  it.each([
    ["a number as total", { total: { value: 12.5, currency: "EUR" } }, "total.value: Invalid input"],
    ["one digit after the point", { total: { value: "12.5", currency: "EUR" } }, "total.value: must be an amount"],
    ["a comma", { total: { value: "12,50", currency: "EUR" } }, "total.value: must be an amount"],
    ["less than nothing", { total: { value: "-12.50", currency: "EUR" } }, "total.value: must be an amount"],
    ["an unknown currency", { total: { value: "12.50", currency: "JPY" } }, "currency: Invalid option"],
    ["a month 13", { card: { number, expiry: "13/28" } }, "card.expiry: must be a month"],
    ["an expiry like 2028-09", { card: { number, expiry: "2028-09" } }, "card.expiry: must be a month"],
    ["a number as card number", { card: { number: Number(number), expiry: "09/28" } }, "card.number: Invalid input"],
    ["somebody not yet born", { customer: { country: "DE", born: "2027-01-01" } }, "customer.age: Too small"],
    ["a birthday that is none", { customer: { country: "DE", born: "1986-02-30" } }, "customer.born: Invalid ISO date"],
    ["a word as time", { at: "now" }, "at: Invalid ISO datetime"],
  ])("with %s is refused", (_, changed, reason) => {
    refuses("shop", JSON.stringify({ ...good, ...changed }), `Shop: ${reason}`);
  });
});

describe("wallet", () => {
  const good = JSON.parse(payloadOf(walletSale));

  it.each([
    ["a fraction of a cent", { cents: 1.5 }, "amount: Invalid input: expected int"],
    ["a text as cents", { cents: "100" }, "cents: Invalid input"],
    ["more than there is", { cents: 1e13 }, "amount: Too big"],
    ["an expiry like 09/28", { card: { pan: number, validUntil: "09/28" } }, "card.expires: must be a month"],
    ["half a year of age", { holder: { age: 20.5 } }, "customer.age: Invalid input: expected int"],
  ])("with %s is refused", (_, changed, reason) => {
    refuses("wallet", JSON.stringify({ ...good, ...changed }), `Wallet: ${reason}`);
  });
});

describe("a token", () => {
  it("is the same for the same card and key, another for another", () => {
    expect(tokenise(number, key).token).toBe(token);
    expect(tokenise("5555555555554444", key).token).not.toBe(token);
    expect(tokenise(number, "x".repeat(32)).token).not.toBe(token);
  });

  it("looks like no card number", () => {
    expect(token).toMatch(/^[\w-]{32}$/);
    expect(token).not.toMatch(/\d{12}/);
  });
});

it("never quotes what was sent", () => {
  const secret = "4111111111111112";
  const texts = FrontEnd.options.flatMap((frontEnd) => {
    const of = sales[frontEnd];
    const changes: Partial<Sale>[] = [
      { card: { number: secret, expires: "2030-12" } },
      { merchant: `m${secret}`.slice(0, 15) },
      { location: { country: "4x" } },
    ];
    const changed = changes.map((change) => payloadOf({ ...of, ...change }));
    const json = [`{"${secret}`, `{"${secret}":1}`, `[${secret}]`, secret, `{"card":{"pan":${secret}}}`];
    return [...changed, ...json].map((text) => [frontEnd, text] as const);
  });
  for (const [frontEnd, text] of texts) {
    const error = (() => {
      try {
        return read(frontEnd, text);
      } catch (error) {
        return error;
      }
    })();
    expect(error, text).toBeInstanceOf(BadInput);
    expect((error as Error).message).not.toContain("41111");
  }
});
