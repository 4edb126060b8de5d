/** The settings of one relay: from where to where, and how patiently. */
import * as z from "zod";

const KafkaConnection = z.strictObject({
  bootstrap: z.array(z.string().regex(/^[^\s:]+:\d+$/, 'write "host:port"')).min(1),
  username: z.string(),
  password: z.string(),
  /** PEM of the authority that signed the brokers' certificates. Left out: the well-known ones. */
  ca: z.string().exactOptional(),
  tls: z.boolean().default(true),
});
export type KafkaConnection = z.infer<typeof KafkaConnection>;

const ValkeyConnection = z.strictObject({
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  username: z.string(),
  password: z.string(),
  ca: z.string().exactOptional(),
});

const Topic = z.strictObject({ kafka: KafkaConnection, topic: z.string().min(1) });

const Source = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("kafka"), ...Topic.shape, group: z.string().min(1) }),
  z.strictObject({
    kind: z.literal("mongo"),
    hosts: z.array(z.string()).min(1),
    replicaSet: z.string(),
    database: z.string(),
    collection: z.string(),
    username: z.string(),
    password: z.string(),
    authSource: z.string(),
    ca: z.string().exactOptional(),
    /** Field of the document that is the event's key. */
    key: z.string().min(1),
    /** Under which name the position in the stream is kept. */
    tokens: z.string().min(1),
  }),
  z.strictObject({
    kind: z.literal("redis"),
    ...ValkeyConnection.shape,
    stream: z.string().min(1),
    group: z.string().min(1),
    /** Only entries whose value has these fields with these values; the others are done at once. */
    when: z.record(z.string(), z.string()).exactOptional(),
  }),
  z.strictObject({
    kind: z.literal("mqtt"),
    url: z.string().regex(/^mqtts:\/\/[^\s/]+$/, 'write "mqtts://host:port"'),
    username: z.string(),
    password: z.string(),
    ca: z.string().exactOptional(),
    /** Of topics, for example `devices/+/readings`. */
    filter: z.string().min(1),
    /** Fixed, because the broker keeps what is not acknowledged under it. */
    clientId: z.string().min(1),
    /** Which level of the topic is the event's key; the first is 0. */
    keyLevel: z.int().min(0),
  }),
]);

const FunctionAddress = z.strictObject({
  url: z.url(),
  auth: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("bearer"), token: z.string() }),
    z.strictObject({ kind: z.literal("fission"), key: z.string() }),
  ]),
});

const Target = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("function"),
    address: FunctionAddress,
    /** For one request, which holds a batch. */
    timeoutMilliseconds: z.int().min(1),
    /** The largest body that the function's host takes. */
    bodyBytes: z.int().min(1).default(1_000_000),
  }),
  z.strictObject({ kind: z.literal("topic"), ...Topic.shape }),
]);

const positive = z.int().min(1);

export const RelaySettings = z
  .strictObject({
    source: Source,
    target: Target,
    /** Where what the function answers goes, with the event's key and trace. */
    into: z.strictObject({ ...Topic.shape, encoding: z.enum(["json", "text"]).default("json") }).optional(),
    /** Left out: an event that fails is tried for ever, and holds up its key. */
    deadLetters: z
      .union([
        z.strictObject({
          ...Topic.shape,
          /** A consumer group of its own, to send them again. */
          group: z.string().min(1),
        }),
        z.strictObject({ redis: ValkeyConnection, stream: z.string().min(1) }),
      ])
      .optional(),
    retries: z.int().min(0).default(10),
    backoff: z
      .strictObject({ firstMilliseconds: positive.default(200), longestMilliseconds: positive.default(30_000) })
      .prefault({}),
    batch: z.strictObject({ events: positive.default(200), bytes: positive.default(512 * 1024) }).prefault({}),
    inFlight: z
      .strictObject({
        events: positive.default(5000),
        bytes: positive.default(16 * 1024 * 1024),
        requests: positive.default(4),
      })
      .prefault({}),
  })
  .refine(({ into, target }) => into === undefined || target.kind === "function", {
    path: ["into"],
    message: "only a function answers something that can go into a topic",
  });
export type RelaySettings = z.infer<typeof RelaySettings>;
export type SourceSettings<Kind extends RelaySettings["source"]["kind"]> = Extract<
  RelaySettings["source"],
  { kind: Kind }
>;
export type TargetSettings<Kind extends RelaySettings["target"]["kind"]> = Extract<
  RelaySettings["target"],
  { kind: Kind }
>;

/** What the relay is called in its source, its logs and its dead letters. */
export function nameOf({ source }: RelaySettings): string {
  switch (source.kind) {
    case "kafka":
    case "redis":
      return source.group;
    case "mongo":
      return source.tokens;
    case "mqtt":
      return source.clientId;
  }
}

/**
 * Checks a relay's settings and fills in the defaults.
 *
 * @throws Error naming each field that is wrong, without its value
 */
export function parseSettings(settings: unknown): RelaySettings {
  const result = RelaySettings.safeParse(settings);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `  - ${path.join(".") || "(all)"}: ${message}`);
  throw new Error(`The relay's settings are wrong\n${problems.join("\n")}`);
}
