/** Accounts for every payment and every bad request of a run, by what the front ends were told and what the stores hold. */
import type { Payment } from "./events.ts";
import type { Told } from "./front-ends/front-end.ts";
import { reconcile, type Stores } from "./reconciliation.ts";
import { ruleSet } from "./rule-set.ts";
import { type Decision, decide, writeDecision } from "./rules.ts";
import type { Send } from "./simulation.ts";

export interface Ledger {
  /** Payments and bad requests, each once. */
  readonly sent: number;
  /** Payments with one decision, as it must be, and all that follows from it. */
  readonly stored: number;
  readonly deadLettered: number;
  /** Bad requests that were refused as they must be. */
  readonly refused: number;
  /** One line for each of them that is not as it must be. */
  readonly problems: readonly string[];
}

/** @param told by the id of the send, all answers; not given for an earlier run, whose answers nobody knows any more */
export function account(sends: readonly Send[], stores: Stores, told?: ReadonlyMap<string, readonly Told[]>): Ledger {
  const problems: string[] = [];
  const count = { stored: 0, refused: 0 };
  const reconciled = reconcile(stores);
  const expected = new Map(sends.map((send) => [send.id, send]));
  for (const send of expected.values()) {
    const { id, must } = send;
    const found = [...(reconciled.problems.get(id) ?? [])];
    if ("kind" in must) found.push(...ofPayment(send, must.be, stores.grid.get(id), told));
    else found.push(...ofRefused(send, must.status, stores, told));
    if (found.length === 0) count["kind" in must ? "stored" : "refused"]++;
    else problems.push(`${id}: ${found.join("; ")}`);
  }
  for (const key of new Set([...stores.grid.keys(), ...reconciled.problems.keys()])) {
    if (!expected.has(key)) problems.push(`${key}: in the stores, but was never sent`);
  }
  for (const id of leaks(stores, sends)) problems.push(`${id}: its card number is in the stores`);
  return { sent: expected.size, ...count, deadLettered: stores.deadLetters.size, problems };
}

function* ofPayment(
  { id, sale }: Send,
  be: readonly Decision[],
  payment: Payment | undefined,
  told: ReadonlyMap<string, readonly Told[]> | undefined,
): Generator<string> {
  if (!payment) return yield "not decided";
  const said = writeDecision(payment);
  if (!be.some((decision) => writeDecision(decision) === said))
    yield `${said}, but must be ${be.map(writeDecision).join(" or ")}`;
  if (payment.ruleSet === ruleSet.version && writeDecision(decide(ruleSet, payment, payment.facts)) !== said) {
    yield `${said}, but its facts say ${writeDecision(decide(ruleSet, payment, payment.facts))}`;
  }
  const same =
    payment.frontEnd === sale.frontEnd &&
    payment.merchant === sale.merchant &&
    payment.amount === sale.amount &&
    payment.currency === sale.currency &&
    payment.card.lastFour === sale.card.number.slice(-4);
  if (!same) yield "other content than was sent";
  for (const answer of told?.get(id) ?? []) {
    if (!("outcome" in answer)) yield `refused (HTTP ${answer.status})`;
    // What was held when it was asked for is decided later.
    else if (answer.outcome !== payment.outcome && answer.outcome !== "held") yield `told that it is ${answer.outcome}`;
  }
}

function* ofRefused(
  { id, must }: Send,
  status: number,
  { grid }: Stores,
  told: ReadonlyMap<string, readonly Told[]> | undefined,
): Generator<string> {
  const key = id.slice(id.indexOf(":") + 1);
  if (!("after" in must) && grid.has(key)) yield "decided, but must be refused";
  for (const answer of told?.get(id) ?? []) {
    if (answer.status !== status) yield `answered with HTTP ${answer.status} instead of ${status}`;
  }
}

/** The sends whose card number is somewhere in the stores, or in other text such as logs: as it is, in groups, or in hexadecimal. */
export function leaks(held: Stores | string, sends: readonly Send[]): string[] {
  const text = typeof held === "string" ? held : writeStores(held);
  const ids = new Map(sends.map(({ id, sale }) => [sale.card.number, id]));
  const ungrouped = text.replaceAll(/(\d{4})[ -](?=\d{4})/g, "$1");
  const decoded = (text.match(/(?:3\d){16,}/g) ?? []).map((hex) => Buffer.from(hex, "hex").toString("latin1"));
  const runs = [text, ungrouped, ...decoded].flatMap((one) => one.match(/\d{16,}/g) ?? []);
  const found = runs.flatMap((digits) =>
    // Other digits may stand right beside it.
    Array.from({ length: digits.length - 15 }, (_, at) => ids.get(digits.slice(at, at + 16))),
  );
  return [...new Set(found)].filter((id) => id !== undefined);
}

function writeStores({ grid, stream, transactions, confirmations, alerts, deadLetters }: Stores): string {
  const maps = [grid, transactions, confirmations, alerts, deadLetters].map((map) => [...map]);
  return JSON.stringify([stream, ...maps]);
}
