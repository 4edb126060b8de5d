import { attempt, run } from "../run.ts";
import { containerdSocket, type Place } from "./place.ts";

/** Calls containerd's own client on the images and containers of the node. */
export function ctr(place: Place, ...args: string[]): Promise<string> {
  return run("ctr", ["--address", containerdSocket(place), "--namespace", "k8s.io", ...args]);
}

export async function containerdAnswers(place: Place): Promise<boolean> {
  return (await attempt("ctr", ["--address", containerdSocket(place), "version"])).code === 0;
}
