/** What the relay's test needs on loopback: a Kafka broker and an MQTT broker with TLS and passwords, a function, relays. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Admin, Consumer, ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { MongoClient } from "mongodb";
import { bundle } from "../../components/core/bundle.ts";
import { images } from "../../components/core/versions.ts";
import type { BatchRequest, FunctionAddress, Outcome, WireEvent } from "../../functions/kit/batch.ts";
import { kafkaOptions } from "../../functions/kit/kafka.ts";
import { topicReader } from "../../functions/kit/topic-reader.ts";
import { standInCommand } from "../../local/images/mongo/environment.ts";
import { valkeyImage } from "../../local/images/valkey.ts";
import { unpackImage } from "./unpack-image.ts";

const root = join(import.meta.dirname, "../..");
export const user = { username: "relay", password: "of the test" };

export interface Letter {
  readonly key: string | undefined;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface FunctionSettings {
  readonly kind: "function";
  readonly address: FunctionAddress;
  readonly timeoutMilliseconds: number;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function until(holds: () => boolean | Promise<boolean>, seconds: number, what: string): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} seconds`);
    await sleep(50);
  }
}

const listens = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
    socket.unref();
    socket.once("connect", () => socket.destroy());
  });

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
  return child.exitCode;
}

export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), "relay-"));
  readonly ca: string;
  readonly #children = new Set<ChildProcess>();
  readonly #servers: Server[] = [];
  readonly #script: string;
  kafkaPort = 0;
  mqttPort = 0;
  mongoPort = 0;
  valkeyPort = 0;
  #mongo: MongoClient | undefined;
  #jars = "";
  #kafka: ChildProcess | undefined;
  #valkey: ChildProcess | undefined;

  constructor() {
    const file = (name: string) => join(this.folder, name);
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
    const subject = (name: string) => ["-subj", `/CN=${name}`, "-newkey", "rsa:2048", "-nodes"];
    openssl("req", "-x509", ...subject("test"), "-keyout", file("ca.key"), "-out", file("ca.pem"), "-days", "2");
    openssl("req", ...subject("localhost"), "-keyout", file("server.key"), "-out", file("server.csr"));
    writeFileSync(file("names"), "subjectAltName=DNS:localhost");
    const signed = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-extfile", file("names")];
    openssl("x509", "-req", "-in", file("server.csr"), ...signed, "-days", "2", "-out", file("server.pem"));
    this.ca = readFileSync(file("ca.pem"), "utf8");
    writeFileSync(
      file("kafka.pem"),
      readFileSync(file("server.key"), "utf8") + readFileSync(file("server.pem"), "utf8"),
    );
    this.#script = file("relay.cjs");
    writeFileSync(this.#script, bundle(new URL("../../functions/relay/main.ts", import.meta.url)).code);
  }

  get kafka() {
    return { bootstrap: [`localhost:${this.kafkaPort}`], ...user, ca: this.ca, tls: true };
  }

  /** The jars come from Maven; `FIVEFOLD_KAFKA_JARS` names a folder that has them already. */
  async startKafka(): Promise<void> {
    this.#jars = process.env.FIVEFOLD_KAFKA_JARS ?? join(this.folder, "jars");
    if (!process.env.FIVEFOLD_KAFKA_JARS) {
      const version = images.kafka.split(":").at(-1);
      const pom = join(root, "local/images/kafka/pom.xml");
      const copy = ["dependency:copy-dependencies", `-DoutputDirectory=${this.#jars}`];
      execFileSync("mvn", ["--batch-mode", "--quiet", "--file", pom, `-Dkafka.version=${version}`, ...copy]);
    }
    this.kafkaPort = await freePort();
    const controller = await freePort();
    const { username, password } = user;
    const jaas = `org.apache.kafka.common.security.scram.ScramLoginModule required username="${username}" password="${password}";`;
    const settings = {
      "process.roles": "broker,controller",
      "node.id": "1",
      "controller.quorum.voters": `1@127.0.0.1:${controller}`,
      listeners: `CLIENT://127.0.0.1:${this.kafkaPort},CONTROLLER://127.0.0.1:${controller}`,
      "advertised.listeners": `CLIENT://localhost:${this.kafkaPort}`,
      "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT",
      "inter.broker.listener.name": "CLIENT",
      "controller.listener.names": "CONTROLLER",
      "sasl.enabled.mechanisms": "SCRAM-SHA-512",
      "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
      "listener.name.client.scram-sha-512.sasl.jaas.config": jaas,
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": join(this.folder, "kafka.pem"),
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": join(this.folder, "ca.pem"),
      "log.dirs": join(this.folder, "kafka"),
      "offsets.topic.replication.factor": "1",
      "offsets.topic.num.partitions": "1",
      "group.initial.rebalance.delay.ms": "0",
    };
    writeFileSync(
      this.#properties,
      Object.entries(settings)
        .map((pair) => pair.join("="))
        .join("\n"),
    );
    const scram = `SCRAM-SHA-512=[name=${username},password=${password}]`;
    const format = ["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", this.#properties, "--add-scram", scram];
    execFileSync("java", ["-Xmx256m", "-cp", `${this.#jars}/*`, "kafka.tools.StorageTool", ...format], {
      stdio: "pipe",
    });
    await this.runKafka();
  }

  get #properties(): string {
    return join(this.folder, "server.properties");
  }

  async runKafka(): Promise<void> {
    this.#kafka = this.#spawn("java", ["-Xmx400m", "-cp", `${this.#jars}/*`, "kafka.Kafka", this.#properties]);
    await until(() => listens(this.kafkaPort), 120, "Kafka listens");
  }

  async killKafka(): Promise<void> {
    this.#kafka?.kill("SIGKILL");
    if (this.#kafka) await ended(this.#kafka);
  }

  async topic(name: string, partitions: number): Promise<void> {
    const admin = new Admin({ ...kafkaOptions(this.kafka), clientId: "test" });
    await admin.createTopics({ topics: [name], partitions, replicas: 1 });
    await admin.close();
  }

  async produce(topic: string, records: readonly { readonly key: string; readonly value: string }[]): Promise<void> {
    const producer = new Producer({ ...kafkaOptions(this.kafka), clientId: "test", serializers: stringSerializers });
    for (let at = 0; at < records.length; at += 1000) {
      const messages = records.slice(at, at + 1000).map((record) => ({ topic, ...record, headers: { from: "test" } }));
      await producer.send({ acks: ProduceAcks.ALL, messages });
    }
    await producer.close();
  }

  /** Everything that is in a topic now, each partition in order. */
  async read(topic: string): Promise<Letter[]> {
    const reader = topicReader({ kafka: this.kafka, topic, group: `test-${topic}-${Date.now()}` });
    const letters: Letter[] = [];
    try {
      for await (const { key, value, headers } of reader.read(await reader.starts(), await reader.ends())) {
        const texts = [...headers].map(([name, bytes]) => [name, bytes.toString()] as const);
        letters.push({ key: key?.toString(), value: value.toString(), headers: Object.fromEntries(texts) });
      }
    } finally {
      await reader.close();
    }
    return letters;
  }

  async committed(group: string, topic: string, partitions: number): Promise<number[]> {
    const consumer = new Consumer({ ...kafkaOptions(this.kafka), clientId: "test", groupId: group });
    const numbers = Array.from({ length: partitions }, (_, partition) => partition);
    const offsets = await consumer.listCommittedOffsets({ topics: [{ topic, partitions: numbers }] });
    await consumer.close(true);
    return (offsets.get(topic) ?? []).map(Number);
  }

  async startMqtt(): Promise<void> {
    this.mqttPort = await freePort();
    const file = (name: string) => join(this.folder, name);
    execFileSync("mosquitto_passwd", ["-c", "-b", file("passwords"), user.username, user.password], { stdio: "pipe" });
    const settings = [
      `listener ${this.mqttPort} 127.0.0.1`,
      `certfile ${file("server.pem")}`,
      `keyfile ${file("server.key")}`,
      `password_file ${file("passwords")}`,
      "allow_anonymous false",
      "max_inflight_messages 0",
      "max_queued_messages 0",
      "user root",
    ];
    writeFileSync(file("mosquitto.conf"), settings.join("\n"));
    this.#spawn("mosquitto", ["-c", file("mosquitto.conf")]);
    await until(() => listens(this.mqttPort), 30, "Mosquitto listens");
  }

  get mongo(): MongoClient {
    if (!this.#mongo) throw new Error("MongoDB has not been started");
    return this.#mongo;
  }

  async startMongo(): Promise<void> {
    const { command, env } = await standInCommand();
    const [program = "", ...args] = command;
    const file = (name: string) => join(this.folder, name);
    this.mongoPort = await freePort();
    mkdirSync(file("mongo"));
    writeFileSync(file("keyfile"), "key of the test\n", { mode: 0o400 });
    const flags = [
      ...["--replSet", "rs0", "--keyFile", file("keyfile"), "--bind_ip", "127.0.0.1", "--port", `${this.mongoPort}`],
      ...["--dbpath", file("mongo"), "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", file("kafka.pem")],
      ...["--tlsCAFile", file("ca.pem"), "--tlsAllowConnectionsWithoutCertificates"],
    ];
    const first = { MONGO_INITDB_ROOT_USERNAME: user.username, MONGO_INITDB_ROOT_PASSWORD: user.password };
    this.#spawn(program, [...args, ...flags], { ...process.env, ...env, ...first });
    await until(() => listens(this.mongoPort), 60, "the stand-in for MongoDB listens");
    const options = { tls: true, ca: this.ca, auth: user };
    const client = new MongoClient(`mongodb://localhost:${this.mongoPort}/?directConnection=true`, options);
    const members = [{ _id: 0, host: `localhost:${this.mongoPort}` }];
    await client.db("admin").command({ replSetInitiate: { _id: "rs0", members } });
    await client.close();
    this.#mongo = new MongoClient(`mongodb://localhost:${this.mongoPort}/?replicaSet=rs0`, options);
  }

  /** A function that does as told. */
  async function(handle: (event: WireEvent) => Outcome | Misbehaviour): Promise<FunctionSettings> {
    const server = createHttpServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { events } = JSON.parse(Buffer.concat(chunks).toString()) as BatchRequest;
        const blocked = new Set<string>();
        const outcomes: Outcome[] = [];
        for (const event of events) {
          const behind = event.key !== undefined && blocked.has(event.key);
          const outcome = behind ? { status: "failed" as const, reason: "waits" } : handle(event);
          if (typeof outcome === "string") return misbehave(response, outcome);
          if (outcome.status === "failed" && event.key !== undefined) blocked.add(event.key);
          outcomes.push(outcome);
        }
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ outcomes }));
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    return { kind: "function", address: { url, auth: { kind: "bearer", token: "t" } }, timeoutMilliseconds: 5_000 };
  }

  get valkey() {
    return { host: "localhost", port: this.valkeyPort, ...user, ca: this.ca };
  }

  /** The server of the image that the node runs, in a folder that is all it sees. */
  async startValkey(): Promise<void> {
    const root = join(this.folder, "valkey");
    await unpackImage(valkeyImage, root);
    this.valkeyPort = await freePort();
    const tls = ["server.pem", "server.key", "ca.pem"];
    mkdirSync(join(root, "server"));
    for (const file of tls) copyFileSync(join(this.folder, file), join(root, "server", file));
    const password = createHash("sha256").update(user.password).digest("hex");
    writeFileSync(
      join(root, "server/users.acl"),
      `user default off\nuser ${user.username} on #${password} ~* &* +@all\n`,
    );
    const settings = [
      ...["bind 127.0.0.1", "port 0", `tls-port ${this.valkeyPort}`, "tls-auth-clients no", "dir /data"],
      ...["tls-cert-file /server/server.pem", "tls-key-file /server/server.key", "tls-ca-cert-file /server/ca.pem"],
      ...["aclfile /server/users.acl", "appendonly yes", "appendfsync always", "save ''"],
    ];
    writeFileSync(join(root, "server/valkey.conf"), settings.join("\n"));
    await this.runValkey();
  }

  async runValkey(): Promise<void> {
    const root = join(this.folder, "valkey");
    this.#valkey = this.#spawn("chroot", [root, "/usr/bin/valkey-server", "/server/valkey.conf"]);
    await until(() => listens(this.valkeyPort), 30, "Valkey listens");
  }

  async killValkey(): Promise<void> {
    this.#valkey?.kill("SIGKILL");
    if (this.#valkey) await ended(this.#valkey);
  }

  /**
   * Starts the relay from the bundle that is deployed.
   *
   * @param pod the name of its pod, which consumers of a stream go by
   */
  async relay(name: string, settings: object, pod = name): Promise<RelayProcess> {
    const port = await freePort();
    this.settings(name, settings);
    const env = {
      ...process.env,
      FIVEFOLD_SETTINGS: join(this.folder, "settings"),
      FIVEFOLD_NAME: name,
      HOSTNAME: pod,
      RELAY_PORT: String(port),
    };
    return new RelayProcess(this.#spawn(process.execPath, [this.#script], env), port);
  }

  /** Puts a relay's settings where its programs look for them. */
  settings(name: string, settings: object): void {
    const folder = join(this.folder, "settings", `${name}-ports`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "relay"), JSON.stringify(settings));
  }

  async close(): Promise<void> {
    await this.#mongo?.close();
    for (const server of this.#servers) server.close().closeAllConnections();
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all([...this.#children].map(ended));
    rmSync(this.folder, { recursive: true });
  }

  #spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "ignore"] });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }
}

/** How a function fails a whole request. */
export type Misbehaviour = "breaks the connection" | "hangs" | "answers 500" | "answers garbage" | "answers nothing";

function misbehave(response: ServerResponse, how: Misbehaviour): void {
  switch (how) {
    case "breaks the connection":
      response.socket?.destroy();
      return;
    case "hangs":
      return;
    case "answers 500":
      response.writeHead(500).end("Internal server error");
      return;
    case "answers garbage":
      response.writeHead(200, { "content-type": "application/json" }).end('{"outcomes": [tru');
      return;
    case "answers nothing":
      response.writeHead(200).end();
  }
}

export class RelayProcess {
  readonly #child: ChildProcess;
  readonly #port: number;
  output = "";

  constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    child.stdout?.on("data", (text) => {
      this.output += text;
    });
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  async ready(): Promise<void> {
    const answers = () =>
      this.get("/readyz").then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(answers, 60, `the relay is ready: ${this.output}`);
  }

  async metric(name: string): Promise<number> {
    const { text } = await this.get("/metrics");
    return Number(new RegExp(`^relay_${name} (.*)$`, "m").exec(text)?.[1]);
  }

  /** The exit code; after SIGKILL there is none. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.ended();
  }

  ended(): Promise<number | null> {
    return ended(this.#child);
  }
}
