/** Picks the architecture by the name of the stack: `iot`, or `iot-<suffix>` for one more of the same. */
import * as pulumi from "@pulumi/pulumi";
import { KitError } from "../components/core/check.ts";

// Pulumi takes a stack trace for each of its promises; with all ten frames that costs every preview a second.
Error.stackTraceLimit = 4;

const architectures: Readonly<Record<string, () => Promise<object>>> = {
  platform: () => import("./platform/index.ts"),
  iot: () => import("./iot/index.ts"),
  payments: () => import("./payments/index.ts"),
};

const stack = pulumi.getStack();
const [architecture = ""] = stack.split("-");
const load = Object.hasOwn(architectures, architecture) ? architectures[architecture] : undefined;
if (!load)
  throw new KitError(`Stack "${stack}"`, [
    `name: write ${Object.keys(architectures).join(" or ")}, or one of them with a suffix such as "iot-test", got "${stack}"`,
  ]);

export default load().then((outputs) => ({ ...outputs }));
