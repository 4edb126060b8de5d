/** What the compiler refuses: `npm run check` fails where one of these lines compiles, or one of the others does not. */
import { expect, test } from "vitest";
import type * as z from "zod";
import type { Bindable } from "../../../components/core/binding.ts";
import type { Faas } from "../../../components/faas/faas.ts";
import type { EventFunction } from "../../../components/faas/function.ts";
import type { Documents, Records, Service } from "../../../functions/kit/ports.ts";
import { type Alert, type EnrichedReading, echo, type Reading, submit, tick, wide } from "./fixtures/contracts.ts";

type Of<Schema extends z.ZodType> = z.output<Schema>;

declare const faas: Faas;
declare const readings: Bindable<Documents<Of<typeof Reading>>>;
declare const alertDocuments: Bindable<Documents<Of<typeof Alert>>>;
declare const alerts: Bindable<Records<Of<typeof Alert>>>;
declare const raw: Bindable<Records<Of<typeof Reading>>>;
declare function triggers<Value>(value: Value, fn: EventFunction<Value, unknown>): void;
declare const reading: Of<typeof Reading>;
declare const enriched: Of<typeof EnrichedReading>;
declare const alert: Of<typeof Alert>;

const wiring = () => {
  const echoFn = faas.fn(echo);
  const wideFn = faas.fn(wide, { readings, echo: echoFn, alerts });
  const submitFn = faas.fn(submit);
  const tickFn = faas.fn(tick);

  // The types of input and output are known.
  const service: Bindable<Service<Of<typeof Reading>, Of<typeof Reading>>> = echoFn;
  // @ts-expect-error it answers readings, not alerts
  const wrong: Bindable<Service<Of<typeof Reading>, Of<typeof Alert>>> = echoFn;

  // @ts-expect-error its ports are missing
  faas.fn(wide);
  // @ts-expect-error the port `alerts` is missing
  faas.fn(wide, { readings, echo: echoFn });
  // @ts-expect-error there is no port `more`
  faas.fn(wide, { readings, echo: echoFn, alerts, more: alerts });
  // @ts-expect-error a topic is no collection
  faas.fn(wide, { readings: raw, echo: echoFn, alerts });
  // @ts-expect-error a collection of alerts holds no readings
  faas.fn(wide, { readings: alertDocuments, echo: echoFn, alerts });
  // @ts-expect-error a topic of readings takes no alerts
  faas.fn(wide, { readings, echo: echoFn, alerts: raw });
  // @ts-expect-error `wide` answers nothing, a reading is wanted
  faas.fn(wide, { readings, echo: wideFn, alerts });
  // @ts-expect-error a function of requests is no service
  faas.fn(wide, { readings, echo: submitFn, alerts });

  faas.http("POST /readings", submitFn);
  // @ts-expect-error a function of events takes no requests
  faas.http("POST /readings", echoFn);
  // @ts-expect-error there is no method FETCH
  faas.http("FETCH /readings", submitFn);
  // @ts-expect-error a path starts with a slash
  faas.http("POST readings", submitFn);

  faas.schedule("every 5 minutes", tickFn);
  faas.schedule("0 3 * * *", tickFn);
  // @ts-expect-error the clock has no readings
  faas.schedule("every 5 minutes", echoFn);
  // @ts-expect-error the clock sends no requests
  faas.schedule("every 5 minutes", submitFn);
  // @ts-expect-error this is no schedule
  faas.schedule("now and then", tickFn);

  triggers(reading, wideFn);
  // An enriched reading is a reading.
  triggers(enriched, wideFn);
  // @ts-expect-error an alert is no reading
  triggers(alert, wideFn);
  // @ts-expect-error a function of requests has no events
  triggers(reading, submitFn);
  return [service, wrong];
};

test("the wiring above is checked by tsc", () => expect(wiring).toBeTypeOf("function"));
