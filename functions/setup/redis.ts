/** Makes one user of a Valkey (or Redis) server what the stack says, on every member: users are not replicated. */
import { createHash } from "node:crypto";
import { connectValkey } from "../kit/valkey.ts";
import { Hopeless } from "./run.ts";

export interface RedisSpecification {
  readonly server: {
    /** Host names of all members. */
    readonly hosts: readonly string[];
    readonly port: number;
    /** May administer users. */
    readonly username: string;
    readonly password: string;
    /** PEM; without it the public authorities. */
    readonly ca?: string | undefined;
  };
  readonly user: {
    readonly name: string;
    readonly password: string;
    readonly map: string;
    readonly part: Part;
  };
}

/** What of a map a user may use. */
export type Part = "values" | "values, to read" | "stream" | "dead letters";

/** What every client does when it connects. */
const connecting = ["+auth", "+hello", "+ping", "+info", "+client|setname", "+client|setinfo"];

/** Key patterns and commands, as `ACL SETUSER` takes them. */
export function rulesOf(map: string, part: Part): string[] {
  const reading = ["+get", "+hmget", "+eval", "+evalsha"];
  const ranges = ["+xrange", "+xrevrange"];
  switch (part) {
    case "values, to read":
      return [`%R~${map}:*`, `%R~${map}.dead-letters`, ...connecting, ...reading, "+scan", "+mget", ...ranges];
    case "values":
      return [`~${map}:*`, ...connecting, ...reading, "+set", "+del", "+xadd", "+hincrby", "+expire"];
    case "stream": {
      const group = ["+xreadgroup", "+xack", "+xpending", "+xclaim", "+xinfo|consumers"];
      return [`~${map}:changes`, ...connecting, ...group, "+xgroup|create", "+xgroup|delconsumer"];
    }
    case "dead letters":
      return [`~${map}.dead-letters`, ...connecting, "+xadd", ...ranges, "+multi", "+exec"];
  }
}

export async function setUpRedis({ server, user }: RedisSpecification): Promise<string> {
  const { hosts, ca, ...rest } = server;
  const hash = createHash("sha256").update(user.password).digest("hex");
  const rules = rulesOf(user.map, user.part);
  for (const host of hosts) {
    const client = connectValkey({ ...rest, host, ...(ca !== undefined && { ca }) });
    try {
      await client.call("ACL", "SETUSER", user.name, "reset", "on", `#${hash}`, ...rules);
      await client.call("ACL", "SAVE");
    } catch (error) {
      if (/WRONGPASS|NOAUTH/.test(String(error))) {
        throw new Hopeless(
          `${host} refuses the password of ${server.username}. ` +
            "Its volume was probably made with another one: give that one back, or delete the volume to start afresh.",
        );
      }
      throw error;
    } finally {
      client.disconnect();
    }
  }
  return `The user ${user.name} may use of the map ${user.map}: ${user.part}`;
}
