/** The target "topic": events become records of a Kafka topic, with their keys and headers. */
import type { Target } from "../event.ts";
import { type Publisher, TooLarge } from "../kafka.ts";

export function topicTarget(publisher: Publisher, topic: string): Target {
  return async (deliveries) => {
    try {
      await publisher.send(deliveries.map(({ event: { key, headers, value } }) => ({ topic, key, headers, value })));
    } catch (error) {
      if (!(error instanceof TooLarge) || deliveries.length > 1) throw error;
      return [{ status: "rejected", reason: "too-large", message: error.message }];
    }
    return deliveries.map(() => ({ status: "done" }));
  };
}
