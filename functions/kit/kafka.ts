/** How the kit's Kafka clients connect: TLS, always verified, and SCRAM-SHA-512. */
import type { BaseOptions } from "@platformatic/kafka";

export interface KafkaConnection {
  /** `host:port` of some brokers. */
  readonly bootstrap: readonly string[];
  readonly username: string;
  readonly password: string;
  /** Certificates to trust instead of the well-known ones, in PEM. */
  readonly ca?: string;
  /** @default true */
  readonly tls?: boolean;
}

/** The part of a client's options that says where to connect, and as whom. */
export function kafkaOptions({ bootstrap, username, password, ca, tls = true }: KafkaConnection) {
  return {
    bootstrapBrokers: [...bootstrap],
    sasl: { mechanism: "SCRAM-SHA-512", username, password },
    ...(tls && { tls: ca === undefined ? {} : { ca }, tlsServerName: true }),
  } satisfies Partial<BaseOptions>;
}
