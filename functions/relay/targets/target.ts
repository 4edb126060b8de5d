import type { Target } from "../event.ts";
import type { Publishers } from "../kafka.ts";
import type { RelaySettings } from "../settings.ts";
import { functionTarget } from "./function.ts";
import { topicTarget } from "./topic.ts";

export function targetOf({ target, into }: RelaySettings, publishers: Publishers): Target {
  if (target.kind === "topic") return topicTarget(publishers.to(target.kafka), target.topic);
  return functionTarget(target, into && { ...into, publisher: publishers.to(into.kafka) });
}
