import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { instanceFolder, runFolder } from "../paths.ts";
import type { Access } from "./api.ts";

/** Where one instance of the node keeps its files. */
export interface Place {
  readonly instance: string;
  /** State on disk. */
  readonly data: string;
  /** Sockets. */
  readonly run: string;
}

export function placeOf(instance: string): Place {
  return { instance, data: instanceFolder(instance), run: runFolder(instance) };
}

/** Certificates and keys. */
export const pki = (place: Place) => join(place.data, "pki");
/** containerd's store: the one thing that outlives the node. */
export const images = (place: Place) => join(place.data, "images");
export const logs = (place: Place) => join(place.data, "logs");
export const containerdSocket = (place: Place) => join(place.run, "containerd.sock");
/** The port of this machine that leads to the API server. */
export const portFile = (place: Place) => join(place.run, "port");
/** The ids of the node's programs, written once it is up. */
export const processesFile = (place: Place) => join(place.data, "processes.json");

/** The kubeconfig with which a node that is up is reached from this machine. */
export function kubeconfigFile(instance: string): string {
  return join(instanceFolder(instance), "kubeconfig");
}

/** What to put before a command to run it in the network of the node, where the pods' and Services' addresses answer. */
export function enterNode(instance: string): readonly [string, ...string[]] {
  return ["nsenter", `--net=/run/netns/${instance}`];
}

/** How the API server is reached from this machine. */
export async function accessTo(place: Place): Promise<Access> {
  const read = (file: string) => readFile(join(pki(place), file));
  return {
    port: Number(await readFile(portFile(place), "utf8")),
    ca: await read("ca.crt"),
    certificate: await read("admin.crt"),
    key: await read("admin.key"),
  };
}
