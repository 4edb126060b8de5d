import { describe, expect, it } from "vitest";
import { attempt, Hopeless } from "../../../functions/setup/run.ts";

const quick = { wait: 1, give: 1_000 };

/** Fails with each of the reasons, then works. */
function failing(...reasons: Error[]) {
  return async () => {
    const reason = reasons.shift();
    if (reason) throw reason;
    return "done";
  };
}

async function told(work: () => Promise<string>, patience = quick) {
  const lines: string[] = [];
  const worked = await attempt(work, (line) => lines.push(line), patience);
  return { worked, lines };
}

describe("attempt", () => {
  it("tells what was done", async () => {
    expect(await told(failing())).toEqual({ worked: true, lines: ["done"] });
  });

  it("tries again, and tells each reason once", async () => {
    const work = failing(new Error("refused"), new Error("refused"), new Error("no primary"));
    expect(await told(work)).toEqual({ worked: true, lines: ["waiting: refused", "waiting: no primary", "done"] });
  });

  it("tells what is behind a failure", async () => {
    const behind = new Error("fetch failed", { cause: new Error("connect ECONNREFUSED") });
    const several = new AggregateError([new Error("::1 refused"), new Error("127.0.0.1 refused")]);
    expect((await told(failing(behind, several))).lines).toEqual([
      "waiting: fetch failed: connect ECONNREFUSED",
      "waiting: ::1 refused; 127.0.0.1 refused",
      "done",
    ]);
  });

  it("gives up at once what is hopeless", async () => {
    expect(await told(failing(new Hopeless("wrong password")))).toEqual({ worked: false, lines: ["wrong password"] });
  });

  it("gives up after a while", async () => {
    const work = () => Promise.reject(new Error("refused"));
    expect(await told(work, { wait: 20, give: 50 })).toEqual({
      worked: false,
      lines: ["waiting: refused", "gave up after 0.05 s: refused"],
    });
  });
});
