/** Labels that the kit puts on what it creates. Policies read them. */
export const partOf = "app.kubernetes.io/part-of";
export const managedBy = "app.kubernetes.io/managed-by";
export const nameLabel = "app.kubernetes.io/name";
export const componentLabel = "app.kubernetes.io/component";
export const instance = "app.kubernetes.io/instance";

/** Labels of one workload of the kit: `name` says what it is (`kafka`), `instance` which one (`bus`). */
export function labels(name: string, which: string): Record<string, string> {
  return { [nameLabel]: name, [instance]: which, [managedBy]: "fivefold" };
}

/** The part of the labels that selects pods: it must never change. */
export function selector(name: string, which: string): Record<string, string> {
  return { [nameLabel]: name, [instance]: which };
}
