import type { Trigger } from "./figures.ts";

/** Environment variable with the settings of the bench's program, as JSON. */
export const settingsVariable = "BENCH_SETTINGS";

export interface ProgramSettings {
  readonly bootstrap: readonly string[];
  readonly topic: string;
  /** Consumer groups of the triggers. */
  readonly groups: Readonly<Record<Trigger, string>>;
  /** Where the function is called through Fission's router. */
  readonly functionUrl: string;
  /** Functions that nobody has called yet. */
  readonly freshUrls: readonly string[];
}
