import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { step } from "../log.ts";
import { cacheFolder } from "../paths.ts";
import { versions } from "./programs.ts";

const site = "https://get.pulumi.com";
const secondsToAnswer = 4;

let answer: Promise<boolean> | undefined;

/** Whether Pulumi's download site can be reached from here; asked once, for a few seconds. */
export function siteAnswers(): Promise<boolean> {
  answer ??= fetch(site, { method: "HEAD", signal: AbortSignal.timeout(secondsToAnswer * 1000) }).then(
    () => true,
    () => false,
  );
  return answer;
}

/** Downloads the CLI with its language hosts into a folder. False if it is not to be had. */
export async function downloadCli(folder: string): Promise<boolean> {
  if (!(await siteAnswers())) return false;
  const url = `${site}/releases/sdk/pulumi-v${versions.pulumi}-${process.platform}-${process.arch}.tar.gz`;
  await mkdir(cacheFolder, { recursive: true });
  const work = await mkdtemp(join(cacheFolder, "download-"));
  try {
    await step(`Downloading the Pulumi CLI ${versions.pulumi}`, async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(600_000) });
      if (!response.ok || !response.body) throw new Error(`${url} answers ${response.status}`);
      const tar = spawn("tar", ["-xz", "-C", work, "--strip-components=1"], { stdio: ["pipe", "ignore", "inherit"] });
      const unpacked = new Promise<number | null>((resolve, reject) => tar.on("error", reject).on("close", resolve));
      await pipeline(Readable.fromWeb(response.body), tar.stdin);
      if ((await unpacked) !== 0) throw new Error("the archive is damaged");
    });
    await mkdir(join(folder, ".."), { recursive: true });
    await rename(work, folder);
    return true;
  } catch {
    return false; // it is built instead
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
