import { describe, expect, it } from "vitest";
import { BadInput } from "../../../functions/kit/errors.ts";
import { decodeMessage, encodeMessage, type Fields } from "../../../functions/payments/iso8583.ts";

const fields: Fields = {
  0: "0100",
  2: "4111111111111111",
  3: "000000",
  4: "000000004990",
  7: "1123120000",
  11: "000123",
  37: "RRN000000001",
  48: "AGE=34",
  49: "978",
  52: "0123456789abcdef",
};
/** Bits 2, 3, 4, 7; 11; 37; 48; 49, 52. */
const bitmap = "7220000008019000";
const ascii = (text: string) => Buffer.from(text, "latin1").toString("hex");
const head = `${ascii("0100")}${bitmap}`;
const body = [
  ascii("164111111111111111"),
  ascii("000000"),
  ascii("000000004990"),
  ascii("1123120000"),
  ascii("000123"),
  ascii("RRN000000001"),
  ascii("006AGE=34"),
  ascii("978"),
  "0123456789abcdef",
];
const message = head + body.join("");
const decode = (hex: string) => decodeMessage(Buffer.from(hex, "hex"));

describe("a message", () => {
  it("is decoded field by field", () => expect(decode(message)).toEqual(fields));
  it("is encoded to the same bytes", () => expect(encodeMessage(fields).toString("hex")).toBe(message));

  it("may have a second bitmap", () => {
    const longer = { ...fields, 128: "ffffffffffffffff" };
    const bytes = encodeMessage(longer);
    expect(bytes.subarray(4, 20).toString("hex")).toBe("f2200000080190000000000000000001");
    expect(decodeMessage(bytes)).toEqual(longer);
  });

  it("may have a second bitmap that names nothing", () => {
    const second = `${ascii("0100")}f2200000080190000000000000000000${body.join("")}`;
    expect(decode(second)).toEqual(fields);
  });

  it("may have an empty field of variable length", () => {
    const empty = { 0: "0100", 48: "" };
    expect(decodeMessage(encodeMessage(empty))).toEqual(empty);
  });

  it.each([
    ["nothing", "", "the message ends in its type"],
    ["half a type", ascii("01"), "the message ends in its type"],
    ["a type of letters", message.replace(ascii("0100"), ascii("O1OO")), "its type has a character"],
    ["no bitmap", ascii("0100"), "the message ends in its bitmap"],
    ["no second bitmap", `${ascii("0100")}ff00000000000000`, "the message ends in its second bitmap"],
    ["a field that it names, but has not", `${ascii("0100")}1000000000000000`, "the message ends in field 4"],
    ["one byte too few", message.slice(0, -2), "the message ends in field 52"],
    ["one byte too many", `${message}00`, "the message goes on after its last field"],
    ["an unknown field", `${ascii("0100")}0800000000000000${ascii("1")}`, "field 5 is not known here"],
    ["a third bitmap", `${ascii("0100")}80000000000000008000000000000000`, "field 65 is not known here"],
    ["a length of letters", message.replace(ascii("16411"), ascii("1x411")), "the length of field 2 has a character"],
    ["a length of blanks", message.replace(ascii("16411"), ascii("  411")), "the length of field 2 has a character"],
    ["a negative length", message.replace(ascii("006AGE"), ascii("-06AGE")), "the length of field 48 has a character"],
    ["a length beyond the field's", message.replace(ascii("16411"), ascii("20411")), "field 2 is too long"],
    ["a length beyond the message", message.replace(ascii("006AGE"), ascii("999AGE")), "the message ends in field 48"],
    ["letters in a number", message.replace(ascii("0049"), ascii("00A9")), "field 4 has a character"],
    ["a control character in a text", message.replace(ascii("AGE=34"), ascii("AGE=3\n")), "field 48 has a character"],
    ["a byte that is no ASCII", message.replace(ascii("AGE=34"), ascii("AGE=3ÿ")), "field 48 has a character"],
  ])("with %s is refused", (_, hex, reason) => {
    expect(() => decode(hex)).toThrow(BadInput);
    expect(() => decode(hex)).toThrow(`ISO 8583: ${reason}`);
  });

  it.each<[string, Record<number, string>]>([
    ["a type that is none", { 0: "100" }],
    ["a number that is too short", { 4: "4990" }],
    ["a number that is too long", { 4: "0000000004990" }],
    ["a text that is too long", { 48: "x".repeat(1000) }],
    ["letters in a number", { 49: "EUR" }],
    ["half a byte", { 52: "0123456789abcde" }],
    ["an unknown field", { 5: "1" }],
    ["another script", { 48: "年齢" }],
  ])("with %s is not encoded", (_, changed) => {
    expect(() => encodeMessage({ ...fields, ...changed })).toThrow(RangeError);
  });
});
