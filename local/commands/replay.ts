import { parseArgs } from "node:util";
import { type JobTemplate, runJob } from "../job.ts";
import { say } from "../log.ts";
import { Problem } from "../problem.ts";
import { type Kubectl, kubectl } from "../toolchain/kubectl.ts";

const usage = `Use: npm run replay -- TOPIC [--dry-run] [--reason R] [--key K] [--since TIME] [--until TIME]
                        [--uncertain] [--again] [--stack STACK] [--context NAME]
     npm run replay -- --list [--stack STACK] [--context NAME]`;

/** What the program in the cluster answers, for the letters of one relay. */
interface Answer {
  readonly topic: string;
  readonly relay: string;
  /** Not sent again yet. */
  readonly open: number;
  /** Of those, claimed by a replay that was interrupted. */
  readonly uncertain: number;
  /** Of those, sent again so often that they seem to go in circles. */
  readonly circling: number;
  /** That the filter lets through. */
  readonly chosen: number;
}
interface Found extends Answer {
  readonly reasons: readonly { reason: string; letters: number; oldest: string; youngest: string }[];
}
interface Replayed extends Answer {
  readonly sent: number;
  /** Those that became dead letters again. */
  readonly failed: number;
}

/** `replay TOPIC`: sends dead letters again, to where they could not be delivered. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      list: { type: "boolean", default: false },
      "dry-run": { type: "boolean", default: false },
      reason: { type: "string" },
      key: { type: "string" },
      since: { type: "string" },
      until: { type: "string" },
      uncertain: { type: "boolean", default: false },
      again: { type: "boolean", default: false },
      stack: { type: "string" },
      context: { type: "string" },
    },
  });
  const [topic, ...rest] = positionals;
  if (rest.length > 0 || (topic === undefined) !== values.list) throw new Problem("Which topic?", usage);
  const { reason, key, uncertain, again } = values;
  const choice = {
    ...(reason !== undefined && { reason }),
    ...(key !== undefined && { key }),
    ...(values.since !== undefined && { since: time("since", values.since) }),
    ...(values.until !== undefined && { until: time("until", values.until) }),
    uncertain,
    again,
  };
  const cluster = await kubectl(values.context);
  const templates = await templatesOf(cluster, topic, values.stack);
  if (values.list) {
    for (const template of templates)
      list(await job<Found>(cluster, template, { ...choice, dryRun: true, uncertain: true, again: true }, () => {}));
    return 0;
  }
  let failed = 0;
  for (const template of templates) {
    if (values["dry-run"]) {
      const found = await job<Found>(cluster, template, { ...choice, dryRun: true });
      console.log(`${found.chosen} of ${found.open} dead letters would be sent again to ${found.relay}.`);
      hint(found, values);
    } else {
      const done = await job<Replayed>(cluster, template, choice);
      const cut = done.chosen - done.sent - done.failed;
      console.log(
        `${done.sent} of ${done.open} dead letters were sent again to ${done.relay}; ${done.failed} became dead letters again${cut > 0 ? `; ${cut} are left, because it was interrupted` : ""}.`,
      );
      hint(done, values);
      failed += done.failed + cut;
    }
  }
  return failed === 0 ? 0 : 1;
}

/** The CronJobs of the relays that write dead letters, of one topic or of all. */
async function templatesOf(
  cluster: Kubectl,
  topic: string | undefined,
  stack: string | undefined,
): Promise<JobTemplate[]> {
  const where = stack === undefined ? ["--all-namespaces"] : ["--namespace", stack];
  const { items } = await cluster.json("get", "cronjobs", "-l", "app.kubernetes.io/component=replay", ...where);
  const topicOf = ({ metadata }: Item) => metadata.annotations["fivefold/dead-letters"];
  const found = (items as Item[]).filter((item) => topic === undefined || topicOf(item) === topic);
  const topics = [...new Set((items as Item[]).map(topicOf))];
  if (topics.length === 0)
    throw new Problem("Nothing that is deployed has dead letters.", "Deploy an architecture first: npm start");
  if (found.length === 0)
    throw new Problem(`No dead letters are written to "${topic}".`, `They are written to: ${topics.join(", ")}`);
  const namespaces = new Set(found.map(({ metadata }) => metadata.namespace));
  if (topic !== undefined && namespaces.size > 1)
    throw new Problem(
      `Several stacks have a topic "${topic}".`,
      `Name one: ${[...namespaces].map((name) => `--stack ${name}`).join(" or ")}`,
    );
  return found;
}

type Item = JobTemplate & { readonly metadata: { readonly annotations: Record<string, string> } };

async function job<A extends Answer>(cluster: Kubectl, template: JobTemplate, args: object, line = say): Promise<A> {
  // One replay of a relay's letters at a time: the second finds the name taken.
  const { name } = template.metadata;
  const env = { name: "REPLAY_ARGUMENTS", value: JSON.stringify(args) };
  return runJob<A>(cluster, template, { name, env, line }).catch((error: Error) => {
    if (!/AlreadyExists|already exists/.test(error.message)) throw error;
    throw new Problem("A replay of these dead letters is running.", "Wait until it has ended.");
  });
}

function list({ topic, relay, open, uncertain, circling, reasons }: Found): void {
  console.log(`${topic}  ${open} dead letters of ${relay}`);
  for (const { reason, letters, oldest, youngest } of reasons)
    console.log(`  ${String(letters).padStart(8)}  ${reason.padEnd(10)}  from ${oldest} to ${youngest}`);
  if (uncertain > 0) console.log(`  ${uncertain} of them may have been sent again by a replay that was interrupted`);
  if (circling > 0) console.log(`  ${circling} of them have been sent again several times already`);
}

function hint({ uncertain, circling }: Answer, given: { readonly uncertain: boolean; readonly again: boolean }): void {
  if (uncertain > 0 && !given.uncertain)
    console.log(
      `${uncertain} were left: a replay that was interrupted may have sent them already. --uncertain sends them too.`,
    );
  if (circling > 0 && !given.again)
    console.log(`${circling} were left: they have come back several times. --again sends them all the same.`);
}

function time(option: string, text: string): string {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime()))
    throw new Problem(`--${option} must be a time such as 2026-01-31T12:00:00Z, got "${text}".`, usage);
  return moment.toISOString();
}
