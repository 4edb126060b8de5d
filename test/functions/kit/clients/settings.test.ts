import { expect, it } from "vitest";
import * as z from "zod";
import { connect } from "../../../../functions/kit/clients/settings.ts";
import { settings } from "../../../../functions/kit/ports.ts";

const port = settings(z.object({ url: z.url(), timeoutMilliseconds: z.int().default(300) }));

it("gives what is mounted, with defaults", async () => {
  expect(await connect({ url: "http://fraud:8080" }, port)).toEqual({
    url: "http://fraud:8080",
    timeoutMilliseconds: 300,
  });
});

it("says where settings are wrong, not what they hold", async () => {
  const error = await connect({ url: "s3cret" }, port).catch((error: unknown) => error);
  expect((error as Error).message).toBe("The settings are wrong: what is mounted does not fit its schema at url");
});
