import { check } from "../check.ts";
import type { SettingsPort } from "../ports.ts";

/** @throws Error naming what does not fit, without its value */
export async function connect(settings: object, { schema }: SettingsPort<unknown>): Promise<unknown> {
  const checked = await check(schema, settings);
  if ("problem" in checked) throw new Error(`The settings are wrong: what is mounted ${checked.problem}`);
  return checked.value;
}
