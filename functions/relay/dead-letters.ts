/** Dead letters: records with the original payload, key and headers, and in further headers whence, why and when. */
import type { DeadLetters } from "./event.ts";
import type { Publisher } from "./kafka.ts";

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
    const added = Object.entries(facts).map(([name, text]) => [`dead-letter-${name}`, Buffer.from(text)] as const);
    return publisher.send([{ topic, key, value, headers: new Map([...headers, ...added]) }]);
  };
}
