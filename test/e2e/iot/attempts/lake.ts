import { signed } from "../../../../functions/kit/aws.ts";
import type { ObjectsSettings } from "../../../../functions/kit/clients/objects.ts";
import { httpClient } from "../../../../functions/kit/http.ts";
import { readSettings } from "../../../../functions/kit/settings.ts";
import type { Attempts } from "./attempt.ts";
import { forged } from "./readings.ts";

/** May read one bucket. */
export const reader = readSettings<ObjectsSettings>("verify", "lake");
/** May read and write it, and delete nothing. */
const writer = readSettings<ObjectsSettings>("lake-writer", "lake");
const { bucket } = reader;

const timeoutMilliseconds = 10_000;
/** Not below `measurements/`, where the verifier reads. */
const key = `refused/${forged}`;

const describe = ({ status, body }: { status: number; body: string }) =>
  [status, /<Code>(\w+)<\/Code>/.exec(body)?.[1]].filter(Boolean).join(" ");

async function ask({ endpoint, ca, ...access }: ObjectsSettings, method: string, path: string, service = "s3") {
  const http = httpClient(ca);
  const form = service === "iam" ? path : "";
  const url = new URL(service === "iam" ? endpoint : `${endpoint}/${path}`);
  const headers = service === "iam" ? { "content-type": "application/x-www-form-urlencoded" } : {};
  const body = form || (method === "PUT" ? "refused" : "");
  try {
    return describe(await signed(http, service, access)({ method, url, headers, body, timeoutMilliseconds }));
  } finally {
    http.close();
  }
}

async function unsigned(endpoint: string, path: string) {
  const http = httpClient(reader.ca);
  const url = new URL(`${endpoint}/${path}`);
  try {
    return describe(await http.exchange({ method: "GET", url, headers: {}, body: "", timeoutMilliseconds }));
  } finally {
    http.close();
  }
}

/** What there is of the objects that nobody may have written. */
export const forgedObject = () => ask(reader, "GET", `${bucket}/${key}`);

export const lakeAttempts: Attempts = {
  "lake: without a signature": () => unsigned(reader.endpoint, `${bucket}?list-type=2`),
  "lake: plain text": () => unsigned(reader.endpoint.replace("https:", "http:"), `${bucket}?list-type=2`),
  "lake: an unknown key": () => ask({ ...reader, accessKeyId: "UNKNOWNUNKNOWNUNKNOW" }, "GET", `${bucket}?list-type=2`),
  "lake: another user's secret": () =>
    ask({ ...reader, secretAccessKey: writer.secretAccessKey }, "GET", `${bucket}?list-type=2`),
  "lake: who may only read writes": () => ask(reader, "PUT", `${bucket}/${key}`),
  "lake: who may not delete deletes": () => ask(writer, "DELETE", `${bucket}/${key}`),
  "lake: writes another bucket": () => ask(writer, "PUT", `refused/${key}`),
  "lake: writes a bucket whose name begins with its own": () => ask(writer, "PUT", `${bucket}-refused/${key}`),
  "lake: lists another bucket": () => ask(writer, "GET", "refused?list-type=2"),
  "lake: makes a bucket": () => ask(writer, "PUT", "refused"),
  "lake: makes a user": () => ask(writer, "POST", "Action=CreateUser&Version=2010-05-08&UserName=refused", "iam"),
  "lake: lists the users": () => ask(writer, "POST", "Action=ListUsers&Version=2010-05-08", "iam"),
};
