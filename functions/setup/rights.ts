import type { Access } from "../kit/ports.ts";

/** What a port's access comes to. */
export const rightsOf = (access: Access): readonly ("read" | "write")[] =>
  access === "read-write" ? ["read", "write"] : [access];
