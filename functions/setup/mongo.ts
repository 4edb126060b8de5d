/** Initiates the replica set of a MongoDB server, or makes one user of it what the stack says. */
import { type Db, MongoClient, MongoServerError } from "mongodb";
import { Hopeless } from "./run.ts";

export interface MongoServer {
  /** `host:port` of every member. */
  readonly hosts: readonly string[];
  readonly replicaSet: string;
  /** May administer replica set and users. */
  readonly username: string;
  readonly password: string;
  readonly authSource: string;
  /** PEM; without it the public authorities. */
  readonly ca?: string | undefined;
}

export type MongoSpecification =
  | { readonly task: "replica-set"; readonly server: MongoServer }
  | { readonly task: "user"; readonly server: MongoServer; readonly user: MongoUser };

export interface MongoUser {
  readonly name: string;
  readonly password: string;
  readonly roles: readonly { readonly role: "read" | "readWrite"; readonly db: string }[];
}

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const codes = {
  userNotFound: 11,
  authenticationFailed: 18,
  alreadyInitialized: 23,
  invalidConfig: 93,
  notYetInitialized: 94,
};

export async function setUpMongo(specification: MongoSpecification): Promise<string> {
  const { server } = specification;
  if (specification.task === "user") {
    return await withAdmin(server, { hosts: server.hosts, replicaSet: server.replicaSet }, (admin) =>
      ensureUser(admin, specification.user),
    );
  }
  // Until there is a replica set, only a direct connection to one member works.
  const [first = ""] = server.hosts;
  return await withAdmin(server, { hosts: [first], directConnection: true }, (admin) =>
    ensureReplicaSet(admin, server),
  );
}

async function ensureReplicaSet(admin: Db, { hosts, replicaSet }: MongoServer): Promise<string> {
  const members = hosts.map((host, _id) => ({ _id, host }));
  const known = await membersOf(admin);
  if (known) {
    if ([...known].sort().join() !== [...hosts].sort().join()) {
      throw new Hopeless(
        `The replica set ${replicaSet} has the members ${known.join(", ")}, the stack says ${hosts.join(", ")}. ` +
          "Add or remove members with rs.add and rs.remove, or go back to the former number.",
      );
    }
  } else {
    await admin.command({ replSetInitiate: { _id: replicaSet, members } }).catch((error: unknown) => {
      if (!hasCode(error, codes.alreadyInitialized)) throw error;
    });
  }
  const { primary } = await admin.command({ hello: 1 });
  if (!primary) throw new Error(`the replica set ${replicaSet} has no primary yet`);
  return `The replica set ${replicaSet} has the primary ${primary}`;
}

async function membersOf(admin: Db): Promise<string[] | undefined> {
  try {
    const { config } = await admin.command({ replSetGetConfig: 1 });
    return config.members.map(({ host }: { host: string }) => host);
  } catch (error) {
    if (hasCode(error, codes.notYetInitialized)) return undefined;
    throw error;
  }
}

async function ensureUser(admin: Db, { name, password, roles }: MongoUser): Promise<string> {
  const wanted = { pwd: password, roles };
  await admin.command({ updateUser: name, ...wanted }).catch(async (error: unknown) => {
    if (!hasCode(error, codes.userNotFound)) throw error;
    await admin.command({ createUser: name, ...wanted });
  });
  return `The user ${name} has the roles ${roles.map(({ role, db }) => `${role} on ${db}`).join(", ")}`;
}

interface Reach {
  readonly hosts: readonly string[];
  readonly replicaSet?: string;
  readonly directConnection?: boolean;
}

async function withAdmin(server: MongoServer, { hosts, ...reach }: Reach, work: (admin: Db) => Promise<string>) {
  const client = new MongoClient(`mongodb://${hosts.join(",")}/`, {
    auth: { username: server.username, password: server.password },
    authSource: server.authSource,
    tls: true,
    ...(server.ca === undefined ? {} : { ca: server.ca }),
    ...reach,
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
  });
  try {
    return await work(client.db("admin"));
  } catch (error) {
    if (hasCode(error, codes.authenticationFailed)) {
      throw new Hopeless(
        `${hosts.join(", ")} refuses the password of ${server.username}. ` +
          "Its volume was probably made with another one: give that one back, or delete the volume to start afresh.",
      );
    }
    if (hasCode(error, codes.invalidConfig)) throw new Hopeless(error.message);
    throw error;
  } finally {
    await client.close();
  }
}

const hasCode = (error: unknown, code: number): error is MongoServerError =>
  error instanceof MongoServerError && error.code === code;
