import { hashPassword } from "../password.ts";
import type { Credentials } from "../ports.ts";
import { sameSecret } from "../secret.ts";

export interface CredentialsSettings {
  /** By name, as `hashPassword` makes them. */
  readonly entries: Readonly<Record<string, string>>;
}

/** Of nobody; so that an unknown name takes as long as a known one. */
const nobody = hashPassword("", "", "bm9ib2R5");

export function connect({ entries }: CredentialsSettings): Credentials {
  const known = new Map(Object.entries(entries));
  return {
    verify: (name, password) => {
      const entry = known.get(name);
      const [salt = ""] = (entry ?? nobody).split(":");
      return sameSecret(hashPassword(name, password, salt), entry ?? nobody) && entry !== undefined;
    },
  };
}
