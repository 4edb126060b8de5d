import { fission } from "../../core/versions.ts";
import type { FissionPlatformArgs } from "./install.ts";

export const defaults = {
  chart: "fission-all",
  crds: `https://raw.githubusercontent.com/fission/fission/v${fission.version}/crds/v1`,
} as const satisfies FissionPlatformArgs;
