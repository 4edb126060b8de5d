import { createHash, createHmac } from "node:crypto";
import type { GatewaySettings } from "../../../../functions/iot/fleet.ts";
import { batchHeader, type FunctionAddress } from "../../../../functions/kit/batch.ts";
import { httpClient } from "../../../../functions/kit/http.ts";
import { readSettings } from "../../../../functions/kit/settings.ts";
import type { RelaySettings, TargetSettings } from "../../../../functions/relay/settings.ts";
import type { Attempts } from "./attempt.ts";
import { csv, forged, httpDevice, intruder, measured, victim } from "./readings.ts";

const { url: ingest } = readSettings<{ url: string }>("verify", "http");
const { passwords } = readSettings<GatewaySettings>("verify", "gateway");
const normalize = (readSettings<RelaySettings>("raw-to-normalize", "relay").target as TargetSettings<"function">)
  .address;
const lakeWriter = readSettings<FunctionAddress>("compute", "lake");
const martWriter = readSettings<FunctionAddress>("compute", "mart");

const timeoutMilliseconds = 10_000;

async function request(method: string, to: string, headers: Record<string, string>, body = ""): Promise<number> {
  const http = httpClient();
  try {
    return (await http.exchange({ method, url: new URL(to), headers, body, timeoutMilliseconds })).status;
  } finally {
    http.close();
  }
}

export const post = (sequence: number, headers: Record<string, string>) =>
  request("POST", ingest, { "content-type": "text/csv", ...headers }, csv(sequence));

export const basic = (device: string, password: string | undefined) => ({
  authorization: `Basic ${Buffer.from(`${device}:${password}`).toString("base64")}`,
});

export const passwordOf = (device: string) => passwords[device];

function call({ url }: FunctionAddress, value: string, headers: Record<string, string>): Promise<number> {
  const body = JSON.stringify({ events: [{ origin: "refusals", key: victim, headers: {}, value, attempt: 1 }] });
  return request("POST", url, { "content-type": "application/json", [batchHeader]: "1", ...headers }, body);
}

const reading = csv(forged);
const measurement = JSON.stringify(measured(victim, forged));

/** A signature for Fission's internal listener, of a call without a body. */
function signature(key: string, path: string, seconds: number): Record<string, string> {
  const empty = createHash("sha256").update("").digest("hex");
  const text = ["POST", path, empty, seconds - (seconds % 60)].join("\n");
  const digest = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("hex");
  return { "x-fission-auth-timestamp": String(seconds), "x-fission-auth-signature": digest };
}

const { pathname } = new URL(normalize.url);
const key = normalize.auth.kind === "fission" ? normalize.auth.key : "";
const now = () => Math.floor(Date.now() / 1000);
const publicUrl = new URL(pathname, ingest).href;

const bearer = ({ auth }: FunctionAddress) => ({ authorization: `Bearer ${auth.kind === "bearer" ? auth.token : ""}` });

export const functionAttempts: Attempts = {
  "ingest: without a password": () => post(forged, {}),
  "ingest: a wrong password": () => post(forged, basic(httpDevice, "wrong")),
  "ingest: an unknown device": () => post(forged, basic("device-000", passwordOf(intruder))),
  "ingest: another device's password": () => post(forged, basic(httpDevice, passwordOf(intruder))),
  "ingest: a password that is none of Basic": () => post(forged, { authorization: `Bearer ${passwordOf(httpDevice)}` }),
  "ingest: another method": () => request("GET", ingest, basic(httpDevice, passwordOf(httpDevice))),

  "Fission: unsigned": () => call(normalize, reading, {}),
  "Fission: signed with another key": () =>
    call(normalize, reading, signature(Buffer.from("wrong").toString("base64"), pathname, now())),
  "Fission: signed for another body": () => call(normalize, reading, signature(key, pathname, now())),
  "Fission: signed for another function": () =>
    request("POST", normalize.url, signature(key, pathname.replace("normalize", "compute"), now())),
  "Fission: signed an hour ago": () => request("POST", normalize.url, signature(key, pathname, now() - 3600)),
  "Fission: by name through the public listener": () =>
    call({ ...normalize, url: publicUrl }, reading, signature(key, pathname, now())),

  "lake-writer: without a token": () => call(lakeWriter, measurement, {}),
  "lake-writer: another service's token": () => call(lakeWriter, measurement, bearer(martWriter)),
  "mart-writer: without a token": () => call(martWriter, measurement, {}),
  "mart-writer: a wrong token": () => call(martWriter, measurement, { authorization: "Bearer wrong" }),
};
