/** Compares what data grid, stream, database, confirmations and alerts hold, and says what does not add up. */
import type { Alert, Confirmation, Payment, Transaction } from "./events.ts";

/** What each store holds, by the payment's key; of the stream every entry, in order. */
export interface Stores {
  readonly grid: ReadonlyMap<string, Payment>;
  readonly stream: readonly Payment[];
  readonly transactions: ReadonlyMap<string, Transaction>;
  readonly confirmations: ReadonlyMap<string, Confirmation>;
  readonly alerts: ReadonlyMap<string, Alert>;
  /** Payments that a function could not handle, with the reason. */
  readonly deadLetters: ReadonlyMap<string, string>;
}

export interface Reconciliation {
  readonly approved: number;
  readonly declined: number;
  /** Not decided yet. */
  readonly held: number;
  /** What does not add up, by the payment's key. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
}

export function reconcile(stores: Stores): Reconciliation {
  const entries = Map.groupBy(stores.stream, ({ key }) => key);
  const count = { approved: 0, declined: 0, held: 0 };
  const keys = new Set<string>(
    [stores.grid, entries, stores.transactions, stores.confirmations, stores.alerts, stores.deadLetters].flatMap(
      (held) => [...held.keys()],
    ),
  );
  const problems = new Map<string, readonly string[]>();
  for (const key of keys) {
    const payment = stores.grid.get(key);
    if (payment) count[payment.outcome]++;
    const found = payment
      ? [...inStream(payment, entries.get(key) ?? []), ...inStores(payment, stores)]
      : strays(key, stores, entries.has(key));
    if (found.length > 0) problems.set(key, found);
  }
  return { ...count, problems };
}

/** One decision, which may come after the payment was held; the last entry is what the grid holds. */
function* inStream(payment: Payment, entries: readonly Payment[]): Generator<string> {
  const outcomes = entries.map(({ outcome }) => outcome);
  const last = entries.at(-1);
  if (!last) return yield "not in the stream";
  if (last.outcome !== payment.outcome) yield `${payment.outcome} in the grid, ${last.outcome} in the stream`;
  else if (!sameSale(last, payment)) yield "other content in the stream than in the grid";
  const decided = outcomes.filter((outcome) => outcome !== "held").length;
  if (decided > 1) yield `decided ${decided} times in the stream`;
  if (outcomes.length - decided > 1) yield `held ${outcomes.length - decided} times in the stream`;
}

/** An approved payment has a transaction and a confirmation, a declined one an alert, a held one nothing. */
function* inStores(payment: Payment, { transactions, confirmations, alerts, deadLetters }: Stores): Generator<string> {
  const { key, outcome } = payment;
  const [transaction, confirmation, alert] = [transactions.get(key), confirmations.get(key), alerts.get(key)];
  yield* presence("transaction", transaction, outcome === "approved", outcome);
  yield* presence("confirmation", confirmation, outcome === "approved", outcome);
  yield* presence("alert", alert, outcome === "declined", outcome);
  if (transaction && !sameSale(transaction, payment)) yield "another transaction than was decided";
  if (alert && !(sameSale(alert, payment) && alert.reasons.join() === payment.reasons.join())) {
    yield "another alert than was decided";
  }
  if (confirmation && confirmation.frontEnd !== payment.frontEnd) yield "confirmed at another front end";
  const deadLetter = deadLetters.get(key);
  if (deadLetter !== undefined) yield `dead-lettered (${deadLetter})`;
}

function* presence(what: string, found: unknown, wanted: boolean, outcome: string): Generator<string> {
  if (wanted && !found) yield `${outcome}, but has no ${what}`;
  if (!wanted && found) yield `${outcome}, but has ${what === "alert" ? "an" : "a"} ${what}`;
}

type Sold = Pick<Payment, "merchant" | "amount" | "currency" | "card">;

function sameSale(one: Sold, other: Sold): boolean {
  return (
    one.merchant === other.merchant &&
    one.amount === other.amount &&
    one.currency === other.currency &&
    one.card.token === other.card.token
  );
}

function strays(key: string, stores: Stores, isInStream: boolean): string[] {
  const where = [
    isInStream && "stream",
    stores.transactions.has(key) && "transactions",
    stores.confirmations.has(key) && "confirmations",
    stores.alerts.has(key) && "alerts",
    stores.deadLetters.has(key) && "dead letters",
  ].filter((place) => place !== false);
  return [`not in the grid, but in: ${where.join(", ")}`];
}
