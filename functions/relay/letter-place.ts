/** Where the dead letters of a relay lie: in a topic of Kafka, or in a stream of Valkey. */
import { type TopicReader, topicReader } from "../kit/topic-reader.ts";
import type { Publisher, Publishers } from "./kafka.ts";
import type { RelaySettings } from "./settings.ts";
import { streamPublisher, streamReader } from "./streams.ts";

export interface LetterPlace {
  /** Name of the topic or stream. */
  readonly topic: string;
  readonly publisher: Publisher;
  reader(): TopicReader;
}

export function letterPlace(settings: NonNullable<RelaySettings["deadLetters"]>, publishers: Publishers): LetterPlace {
  if ("redis" in settings) {
    const { redis, stream } = settings;
    return {
      topic: stream,
      publisher: publishers.add(streamPublisher(redis)),
      reader: () => streamReader(redis, stream),
    };
  }
  return { topic: settings.topic, publisher: publishers.to(settings.kafka), reader: () => topicReader(settings) };
}
