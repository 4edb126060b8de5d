import * as pulumi from "@pulumi/pulumi";

/** A mistake in the user's settings. The CLI prints its message alone, without a stack. */
export class KitError extends pulumi.RunError {
  readonly problems: readonly string[];

  constructor(where: string, problems: readonly string[]) {
    super(`${where}\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** Collects every problem of one component's settings, so that the user sees all of them at once. */
export class Check {
  readonly #where: string;
  readonly #problems: string[] = [];

  constructor(where: string) {
    this.#where = where;
  }

  that(holds: boolean, setting: string, otherwise: string): void {
    if (!holds) this.#problems.push(`${setting}: ${otherwise}`);
  }

  /** @throws KitError naming every problem found */
  done(): void {
    if (this.#problems.length > 0) throw new KitError(this.#where, this.#problems);
  }
}

/** Drops undefined keys, so that they cannot erase a default. */
export function defined<T extends object>(args: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined)) as never;
}
