import { expect, it } from "vitest";
import { coalesce } from "../../../../functions/kit/clients/coalesce.ts";

const tick = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

it("makes calls of the same moment one, and gives each its result", async () => {
  const calls: number[][] = [];
  const double = coalesce<number, number>(
    async (items) => {
      calls.push([...items]);
      return items.map((item) => (item === 3 ? new Error("three") : 2 * item));
    },
    { items: 10, calls: 1 },
  );
  const results = await Promise.allSettled([1, 3, 1].map(double));
  expect(calls).toEqual([[1, 3, 1]]);
  expect(results).toMatchObject([{ value: 2 }, { reason: new Error("three") }, { value: 2 }]);
});

it("gathers while a call is under way, and sends no more than it may", async () => {
  const calls: number[] = [];
  let running = 0;
  let most = 0;
  const send = coalesce<number, number>(
    async (items) => {
      most = Math.max(most, ++running);
      calls.push(items.length);
      await tick(30);
      running--;
      return items;
    },
    { items: 4, calls: 1 },
  );
  const first = send(0);
  await tick(10);
  const rest: Promise<number>[] = [];
  for (let n = 1; n <= 6; n++) {
    rest.push(send(n));
    await tick(1);
  }
  expect(await Promise.all([first, ...rest])).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(calls).toEqual([1, 4, 2]);
  expect(most).toBe(1);
});

it("goes on after a call that failed, which fails all that were in it", async () => {
  let down = true;
  const send = coalesce<number, number>(
    async (items) => {
      if (down) throw new Error("down");
      return items;
    },
    { items: 10, calls: 1 },
  );
  expect(await Promise.allSettled([send(1), send(2)])).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
  down = false;
  expect(await send(3)).toBe(3);
});
