/** Passwords as `credentials` ports hold them. They are long and random, so a fast hash keeps them safe. */
import { createHmac } from "node:crypto";

/**
 * The entry of one name in the settings of a `credentials` port: `<salt>:<hash>`, both base64.
 *
 * @param salt at least 16 random bytes in base64, for each name its own
 */
export function hashPassword(name: string, password: string, salt: string): string {
  const hash = createHmac("sha256", Buffer.from(salt, "base64")).update(`${name}\0${password}`).digest("base64");
  return `${salt}:${hash}`;
}
