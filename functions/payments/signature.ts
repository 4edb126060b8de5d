/** A wallet signs the time in seconds and the body as it is sent: HMAC-SHA256 of `<time>.<body>` in hexadecimal. */
import { createHmac } from "node:crypto";
import { sameSecret } from "../kit/secret.ts";

export const timeHeader = "x-wallet-time";
export const signatureHeader = "x-wallet-signature";

/** Clocks differ, and requests are sent again. */
const toleranceSeconds = 5 * 60;

export function sign(key: string, seconds: number, body: string): string {
  return createHmac("sha256", key).update(`${seconds}.${body}`).digest("hex");
}

/** Whether one of the keys has signed this body within the last minutes. */
export function isSigned(
  keys: readonly string[],
  headers: Readonly<Record<string, string>>,
  body: string,
  now: number,
): boolean {
  const { [timeHeader]: time = "", [signatureHeader]: signature = "" } = headers;
  if (!/^\d{1,12}$/.test(time)) return false;
  const seconds = Number(time);
  const right = keys.filter((key) => sameSecret(sign(key, seconds, body), signature));
  return right.length > 0 && Math.abs(now / 1000 - seconds) <= toleranceSeconds;
}
