import { expect, it } from "vitest";
import { connect } from "../../../../functions/kit/clients/credentials.ts";
import { hashPassword } from "../../../../functions/kit/password.ts";

const salt = Buffer.from("0123456789abcdef").toString("base64");
const entries = {
  "thermo-1": hashPassword("thermo-1", "pass:wörd", salt),
  "thermo-2": hashPassword("thermo-2", "b", salt),
};
const { verify } = connect({ entries });

it("verifies a name with its password", () => {
  expect(verify("thermo-1", "pass:wörd")).toBe(true);
  expect(verify("thermo-2", "b")).toBe(true);
});

it.each([
  ["thermo-1", "b"],
  ["thermo-1", ""],
  ["thermo-1", "pass:wörd "],
  ["thermo-3", "b"],
  ["", ""],
  ["__proto__", "b"],
  ["constructor", ""],
])("refuses %j with %j", (name, password) => expect(verify(name, password)).toBe(false));

it("refuses everyone where nobody is known, even by the entry of nobody", () => {
  expect(connect({ entries: {} }).verify("", "")).toBe(false);
});

it("refuses names whose entry is none", () => {
  expect(connect({ entries: { a: "", b: ":", c: salt } }).verify("a", "")).toBe(false);
});

it("keeps no password, and makes of one password a different hash for each name and salt", () => {
  expect(entries["thermo-2"]).toMatch(/^[A-Za-z0-9+/=]+:[A-Za-z0-9+/]{43}=$/);
  expect(hashPassword("a", "p", salt)).not.toBe(hashPassword("b", "p", salt));
  expect(hashPassword("a", "p", salt)).not.toBe(hashPassword("a", "p", "b3RoZXI="));
});
