/** Makes a bucket of an S3 server with the IAM API, or a user that may do with one bucket what the stack says. */
import { signed } from "../kit/aws.ts";
import { type Http, httpClient } from "../kit/http.ts";
import type { Access } from "../kit/ports.ts";
import { rightsOf } from "./rights.ts";
import { Hopeless } from "./run.ts";

export interface LakeServer {
  readonly endpoint: string;
  readonly region: string;
  /** May administer buckets and users. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** PEM; without it the public authorities. */
  readonly ca?: string | undefined;
}

export type LakeSpecification =
  | { readonly task: "bucket"; readonly server: LakeServer; readonly bucket: string }
  | { readonly task: "user"; readonly server: LakeServer; readonly user: LakeUser };

export interface LakeUser {
  readonly name: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
  readonly access: Access;
}

const actions = {
  read: ["s3:GetObject", "s3:ListBucket"],
  write: ["s3:PutObject"],
} as const;

/** Sends one signed request. That something exists already is no error. */
type Ask = (
  what: string,
  service: "s3" | "iam",
  method: "PUT" | "POST",
  path: string,
  form?: object,
) => Promise<string>;

export async function setUpLake(specification: LakeSpecification): Promise<string> {
  const http = httpClient(specification.server.ca);
  const ask = asking(http, specification.server);
  try {
    return specification.task === "bucket"
      ? await ensureBucket(ask, specification.bucket)
      : await ensureUser(ask, specification.user);
  } finally {
    http.close();
  }
}

async function ensureBucket(ask: Ask, bucket: string): Promise<string> {
  await ask("make the bucket", "s3", "PUT", bucket);
  return `There is the bucket ${bucket}`;
}

async function ensureUser(ask: Ask, user: LakeUser): Promise<string> {
  // SeaweedFS serves the IAM API on the port of S3.
  const iam = (Action: string, parameters: object = {}) =>
    ask(Action, "iam", "POST", "", { Action, Version: "2010-05-08", UserName: user.name, ...parameters });
  await iam("CreateUser");
  await iam("PutUserPolicy", { PolicyName: "bucket", PolicyDocument: JSON.stringify(policyOf(user)) });
  // The server does not tell the secrets of its keys, so the only way to be sure of one is to set it.
  const keys = await iam("ListAccessKeys");
  for (const [, key] of keys.matchAll(/<AccessKeyId>([^<]+)</g)) await iam("DeleteAccessKey", { AccessKeyId: key });
  await iam("CreateAccessKey", { AccessKeyId: user.accessKeyId, SecretAccessKey: user.secretAccessKey });
  return `The user ${user.name} may ${rightsOf(user.access).join(" and ")} in the bucket ${user.bucket}`;
}

function policyOf({ bucket, access }: LakeUser) {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: rightsOf(access).flatMap((right) => actions[right]),
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ],
  };
}

/** A key that exists is another user's: those of this one have just been deleted. */
const exists = ["BucketAlreadyOwnedByYou", "BucketAlreadyExists", "EntityAlreadyExists"];

function asking(http: Http, { endpoint, ...access }: LakeServer): Ask {
  return async (what, service, method, path, form) => {
    const { status, body: answer } = await signed(
      http,
      service,
      access,
    )({
      method,
      url: new URL(`${endpoint}/${path}`),
      headers: form ? { "content-type": "application/x-www-form-urlencoded" } : {},
      body: form ? new URLSearchParams(Object.entries(form)).toString() : "",
      timeoutMilliseconds: 10_000,
    });
    const isThere = what !== "CreateAccessKey" && exists.includes(/<Code>([^<]+)</.exec(answer)?.[1] ?? "");
    if (status >= 300 && !isThere) {
      const why = /<Message>([^<]+)</.exec(answer)?.[1] ?? `HTTP ${status}`;
      const message = `${endpoint} refuses to ${what}: ${why}`;
      throw status >= 500 ? new Error(message) : new Hopeless(message);
    }
    return answer;
  };
}
