/** Programs of the kit on the official Node image: their code in a ConfigMap, packed, because plain it may not fit. */
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { gzipSync } from "fflate";
import type { Bundle } from "../faas/bundle.ts";
import type { Consumer } from "./binding.ts";
import { KitError } from "./check.ts";
import { restrictedContainer } from "./pods.ts";
import { images } from "./versions.ts";

/** A ConfigMap holds 1 MiB, with its keys. */
export const largestProgram = 1024 * 1024 - 1024;

const packed = new WeakMap<Bundle, Uint8Array>();

/** The same code gives the same bytes. */
export function pack(bundle: Bundle): Uint8Array {
  const known = packed.get(bundle) ?? gzipSync(Buffer.from(bundle.code), { level: 6, mtime: 0 });
  packed.set(bundle, known);
  return known;
}

/**
 * A ConfigMap with the program; another program has another name, so that pods that mount it are replaced.
 *
 * @throws KitError if it is too large
 */
export function programMap(consumer: Consumer, bundle: Bundle, labels: Record<string, string>): k8s.core.v1.ConfigMap {
  const bytes = pack(bundle);
  if (bytes.length > largestProgram) {
    throw new KitError(`Program of "${consumer.name}"`, [
      `code: has ${bytes.length} bytes packed, at most ${largestProgram} fit into a ConfigMap`,
    ]);
  }
  return new k8s.core.v1.ConfigMap(
    `${consumer.name}-program`,
    {
      metadata: {
        name: `${consumer.name}-program-${bundle.hash.slice(0, 8)}`,
        namespace: consumer.namespace.metadataName,
        labels,
      },
      binaryData: { "program.cjs.gz": Buffer.from(bytes).toString("base64") },
      immutable: true,
    },
    { parent: consumer.parent },
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

const unpackAndRun = `
const code = require("node:zlib").gunzipSync(require("node:fs").readFileSync("/program/program.cjs.gz")).toString();
new (require("node:module"))("/program/program.cjs")._compile(code, "/program/program.cjs");
`;
