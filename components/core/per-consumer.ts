import type { Consumer } from "./binding.ts";

/** Makes something once for each consumer, so that two ports to one server share one network rule. */
export function perConsumer<R>(make: (consumer: Consumer) => R): (consumer: Consumer) => R {
  const made = new Map<string, R>();
  return (consumer) => {
    const key = `${consumer.namespace.componentName}/${consumer.name}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const fresh = make(consumer);
    made.set(key, fresh);
    return fresh;
  };
}
