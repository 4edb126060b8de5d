/**
 * Dead letters: records with the original payload, key and headers, and in further headers whence, why and when.
 *
 * What becomes of a letter is told by marks: records of the same topic, without payload, that name it.
 */
import type { TopicRecord } from "../kit/topic-reader.ts";
import type { DeadLetters, Event, Origin } from "./event.ts";
import type { OutgoingRecord, Publisher } from "./kafka.ts";

const prefix = "dead-letter-";
const longestMessage = 500;

/** @param trigger which relay gave up */
export function deadLetters(publisher: Publisher, topic: string, trigger: string): DeadLetters {
  return ({ event: { key, value, headers, origin }, attempt, reason, message }) => {
    const facts = {
      topic: origin.topic,
      partition: origin.partition,
      offset: origin.offset,
      attempt: String(attempt),
      reason,
      message: message.slice(0, longestMessage),
      time: new Date().toISOString(),
      trigger,
    };
    return publisher.send([{ topic, key, value, headers: new Map([...headers, ...headersOf(facts)]) }]);
  };
}

export interface Letter {
  readonly kind: "letter";
  /** Its place in the topic of dead letters: `<partition>/<offset>`. */
  readonly id: string;
  readonly key: string | undefined;
  readonly origin: Origin;
  readonly reason: string;
  readonly message: string;
  /** When it was written, in ISO 8601. */
  readonly time: string;
  /** The relay that gave up. */
  readonly trigger: string;
  /** How often the event has been sent again. */
  readonly replays: number;
}

/** A letter is claimed before it is sent again, and afterwards sent, or released if nobody has got it. */
export type State = "claimed" | "sent" | "released";

export interface Mark {
  readonly kind: "mark";
  /** The letter's. */
  readonly id: string;
  readonly state: State;
}

export function parseDeadLetter({ partition, offset, key, headers }: TopicRecord): Letter | Mark {
  const fact = (name: string) => headers.get(`${prefix}${name}`)?.toString() ?? "";
  if (headers.has(`${prefix}mark`)) return { kind: "mark", id: fact("id"), state: fact("mark") as State };
  return {
    kind: "letter",
    id: `${partition}/${offset}`,
    key: key?.toString(),
    origin: { topic: fact("topic"), partition: fact("partition"), offset: fact("offset") },
    reason: fact("reason"),
    message: fact("message"),
    time: fact("time"),
    trigger: fact("trigger"),
    replays: Number(fact("replays") || 0),
  };
}

export function markRecord(topic: string, id: string, state: State): OutgoingRecord {
  return { topic, key: undefined, value: Buffer.alloc(0), headers: new Map(headersOf({ mark: state, id })) };
}

/** The event as it was, which counts how often it has been sent again. Its stream is the letter, so that each is committed by itself. */
export function eventOf({ key, value, headers }: TopicRecord, { id, origin, replays }: Letter): Event<string> {
  const own = [...headers].filter(([name]) => !name.startsWith(prefix));
  return {
    stream: id,
    position: id,
    origin,
    key,
    headers: new Map([...own, ...headersOf({ replays: String(replays + 1) })]),
    value,
  };
}

const headersOf = (facts: Readonly<Record<string, string>>) =>
  Object.entries(facts).map(([name, text]) => [`${prefix}${name}`, Buffer.from(text)] as const);
