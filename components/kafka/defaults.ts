/** What a Kafka and its topics are if nothing else is said. */
export const defaults = { brokers: 1, storage: "10 GiB", memory: "1 GiB", retention: "7 days" } as const;

export const topicDefaults = { partitions: 3 } as const;

export const existingDefaults = { replication: 3 } as const;

/** Dead letters wait for somebody to look at them. */
export const deadLetters = { suffix: ".dead-letters", partitions: 1, retention: "30 days" } as const;

/** Ports of a broker's pod. */
export const ports = {
  /** For consumers in the cluster: TLS and SCRAM. */
  clients: 9092,
  /** Between brokers: TLS on both sides. */
  replication: 9091,
  /** Between brokers and controllers: TLS on both sides. */
  controller: 9093,
  /** On the pod's loopback only, for the tunnel: TLS and SCRAM. */
  tunnel: 9094,
} as const;

/** The user that creates topics and users. */
export const administrator = "admin";

/** Of the image. */
export const user = 1000;
