/** Programs of the kit on the official Node image: their code in a ConfigMap, packed, because plain it may not fit. */
import type { types } from "@pulumi/kubernetes";
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Consumer } from "./binding.ts";
import { type Bundle, gzip } from "./bundle.ts";
import { KitError } from "./check.ts";
import { labels } from "./labels.ts";
import type { Namespace } from "./namespace.ts";
import { restrictedContainer } from "./pods.ts";
import { images } from "./versions.ts";

/** A ConfigMap holds 1 MiB, with its keys. */
export const largestProgram = 1024 * 1024 - 1024;

const maps = new WeakMap<Namespace, Map<string, k8s.core.v1.ConfigMap>>();

/**
 * The ConfigMap with the program, one for all its consumers in a namespace; another program has another name, so that
 * pods that mount it are replaced.
 *
 * @throws KitError if it is too large
 */
export function programMap({ name, namespace }: Consumer, bundle: Bundle): k8s.core.v1.ConfigMap {
  const known = maps.get(namespace) ?? new Map<string, k8s.core.v1.ConfigMap>();
  maps.set(namespace, known);
  const map = known.get(bundle.hash) ?? newMap(name, namespace, bundle);
  known.set(bundle.hash, map);
  return map;
}

function newMap(consumer: string, namespace: Namespace, bundle: Bundle): k8s.core.v1.ConfigMap {
  const bytes = gzip(bundle);
  if (bytes.length > largestProgram) {
    throw new KitError(`Program of "${consumer}"`, [
      `code: has ${bytes.length} bytes packed, at most ${largestProgram} fit into a ConfigMap`,
    ]);
  }
  const name = `program-${bundle.hash.slice(0, 8)}`;
  return new k8s.core.v1.ConfigMap(
    `${namespace.componentName}-${name}`,
    {
      metadata: { name, namespace: namespace.metadataName, labels: labels("program", name) },
      binaryData: { "program.cjs.gz": Buffer.from(bytes).toString("base64") },
      immutable: true,
    },
    { parent: namespace },
  );
}

/** What a container that runs such a program has; add ports, probes, resources and further volumes. */
export function programContainer(name: string) {
  return {
    name,
    image: images.node,
    command: ["node", "-e", unpackAndRun],
    securityContext: restrictedContainer,
    volumeMounts: [{ name: "program", mountPath: "/program", readOnly: true }],
  };
}

export const programVolume = (map: pulumi.Input<string>) => ({ name: "program", configMap: { name: map } });

/** A CronJob that is suspended for good, as the template of the Jobs that `local/job.ts` makes from it. */
export function jobTemplate(
  labels: Record<string, string>,
  spec: types.input.core.v1.PodSpec,
): types.input.batch.v1.CronJobSpec {
  const template = { metadata: { labels }, spec: { restartPolicy: "Never", ...spec } };
  return { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { spec: { backoffLimit: 0, template } } };
}

const unpackAndRun = `
const code = require("node:zlib").gunzipSync(require("node:fs").readFileSync("/program/program.cjs.gz")).toString();
new (require("node:module"))("/program/program.cjs")._compile(code, "/program/program.cjs");
`;
