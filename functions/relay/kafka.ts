/** Writes to Kafka, with errors that say what they mean. */
import { compatibilityPartitioner, findErrorBy, ProduceAcks, Producer } from "@platformatic/kafka";
import { Unavailable } from "../kit/errors.ts";
import { type KafkaConnection, kafkaOptions } from "../kit/kafka.ts";
import { messageOf } from "./event.ts";

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: Buffer | undefined;
  readonly value: Buffer;
  readonly headers: Map<string, Buffer>;
}

/** The topic takes no record of this size. */
export class TooLarge extends Error {
  override readonly name = "TooLarge";
}

export interface Publisher {
  /**
   * Resolves when every in-sync replica has all the records.
   *
   * @throws TooLarge where the topic takes no records of this size, Unavailable where it is not known whether it has them
   */
  send(records: readonly OutgoingRecord[]): Promise<void>;
  close(): Promise<void>;
}

export function publisher(kafka: KafkaConnection, clientId: string): Publisher {
  const producer = new Producer<Buffer, Buffer, string, Buffer>({
    ...kafkaOptions(kafka),
    clientId,
    // The one that Kafka's own clients use, so that a key has one partition whoever writes.
    partitioner: compatibilityPartitioner,
    serializers: { headerKey: (name) => Buffer.from(name ?? "") },
  });
  return {
    send: async (records) => {
      try {
        await producer.send({ messages: records.map(withoutUndefinedKey), acks: ProduceAcks.ALL });
      } catch (error) {
        if (isTooLarge(error)) throw new TooLarge("larger than the topic takes", { cause: error });
        throw new Unavailable(`cannot write to ${records[0]?.topic}: ${messageOf(error)}`, { cause: error });
      }
    },
    close: () => producer.close(true),
  };
}

/** The publishers of one process, to be closed together. */
export class Publishers {
  readonly #clientId: string;
  readonly #made: Publisher[] = [];

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  to(kafka: KafkaConnection): Publisher {
    return this.add(publisher(kafka, this.#clientId));
  }

  add(made: Publisher): Publisher {
    this.#made.push(made);
    return made;
  }

  async close(): Promise<void> {
    await Promise.all(this.#made.map((made) => made.close()));
  }
}

function withoutUndefinedKey({ key, ...record }: OutgoingRecord) {
  return key === undefined ? record : { ...record, key };
}

function isTooLarge(error: unknown): boolean {
  return (
    error instanceof Error &&
    ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"].some((id) => findErrorBy(error, "apiId", id) !== null)
  );
}
