import type { In, Needs } from "../kit/contract.ts";
import { handle, type Reply, type RequestContext, reply } from "../kit/handle.ts";
import { ingest } from "./contracts.ts";

const challenge = { "www-authenticate": 'Basic realm="readings", charset="UTF-8"' };

/**
 * Takes a reading from a device that shows its name and password (HTTP Basic), and answers once Kafka has it.
 *
 * The body may be `text/*`, `application/octet-stream` or `application/json`. JSON goes on with the same content but
 * written anew, since some hosts keep only what they parsed.
 */
export async function takeReading(
  body: In<typeof ingest>,
  { raw, devices }: Needs<typeof ingest>,
  { headers }: Pick<RequestContext, "headers">,
): Promise<Reply> {
  const sender = basic(headers.authorization);
  if (!sender || !devices.verify(sender.name, sender.password)) {
    return reply(401, { error: "Show the device's name and password" }, challenge);
  }
  const { traceparent } = headers;
  await raw.send({ key: sender.name, value: body, ...(traceparent && { headers: { traceparent } }) });
  return reply(202, { accepted: true });
}

function basic(authorization = ""): { readonly name: string; readonly password: string } | undefined {
  const [, encoded] = /^basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization) ?? [];
  if (encoded === undefined) return undefined;
  const [, name, password] = /^([^:]+):(.*)$/s.exec(Buffer.from(encoded, "base64").toString("utf8")) ?? [];
  return name !== undefined && password !== undefined ? { name, password } : undefined;
}

export default handle(ingest, takeReading);
