import { expect, it } from "vitest";
import { Metrics } from "../../../functions/relay/metrics.ts";

it("writes metrics in Prometheus' text format", () => {
  const metrics = new Metrics();
  metrics.received = 3;
  metrics.gauges = () => ({ events: 2, bytes: 600, oldestSeconds: 1.5 });
  for (const seconds of [0.003, 0.02, 0.02, 100]) metrics.latency.observe(seconds);
  const lines = metrics.text().split("\n");
  expect(lines).toContain("# TYPE relay_events_received_total counter");
  expect(lines).toContain("relay_events_received_total 3");
  expect(lines).toContain("relay_events_in_flight 2");
  expect(lines).toContain("relay_oldest_event_seconds 1.5");
  expect(lines.filter((line) => line.startsWith("relay_event_seconds"))).toEqual([
    'relay_event_seconds_bucket{le="0.005"} 1',
    'relay_event_seconds_bucket{le="0.01"} 1',
    'relay_event_seconds_bucket{le="0.025"} 3',
    ...["0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30"].map(
      (bound) => `relay_event_seconds_bucket{le="${bound}"} 3`,
    ),
    'relay_event_seconds_bucket{le="+Inf"} 4',
    "relay_event_seconds_sum 100.043",
    "relay_event_seconds_count 4",
  ]);
  for (const line of lines.slice(0, -1))
    expect(line).toMatch(/^(# (HELP|TYPE) relay_\w+ \S.*|relay_\w+(\{le="[^"]+"\})? [\d.]+)$/);
  expect(lines.at(-1)).toBe("");
});
