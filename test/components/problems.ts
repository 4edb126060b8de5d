import { expect } from "vitest";
import { KitError } from "../../components/core/check.ts";

/** What a plan says against its settings. */
export function problemsOf(plan: () => unknown): readonly string[] {
  try {
    plan();
  } catch (error) {
    expect(error).toBeInstanceOf(KitError);
    return (error as KitError).problems;
  }
  return [];
}
