import { readFileSync } from "node:fs";

/** The literals that the settings of a file name as their `@default`, by setting. */
export function documentedDefaults(file: string): Record<string, unknown> {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  const found = text.matchAll(/@default (?!- )(.+?)\s*(?:\*\/)?\n(?:\s*\*\/\n)?\s*readonly (\w+)\??:/g);
  return Object.fromEntries([...found].map(([, literal = "", setting = ""]) => [setting, JSON.parse(literal)]));
}
