/** Runs in the node's network: sends the requests that its input holds as JSON, one after another, and prints the answers. */
import https from "node:https";
import { text } from "node:stream/consumers";

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** No status where there was no answer. */
export interface Answer {
  readonly status?: number;
  readonly body: string;
}

export interface Asks {
  /** The gateway's address, and the name that its certificate must bear. */
  readonly address: string;
  readonly name: string;
  readonly ca?: string;
  readonly asks: readonly Ask[];
}

const { address, name, ca, asks } = JSON.parse(await text(process.stdin)) as Asks;
const send = ({ method = "GET", path, headers = {}, body = "" }: Ask) =>
  new Promise<Answer>((resolve) => {
    const sent = { host: name, ...(body && { "content-type": "text/plain" }), ...headers };
    const options = { host: address, servername: name, ...(ca && { ca }), method, path, headers: sent };
    https
      .request(options, async (answer) => resolve({ status: answer.statusCode ?? 0, body: await text(answer) }))
      .on("error", (error) => resolve({ body: error.message }))
      .end(body);
  });
const answers: Answer[] = [];
for (const ask of asks) answers.push(await send(ask));
console.log(JSON.stringify(answers));
