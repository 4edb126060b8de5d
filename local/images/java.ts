import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Layer } from "./build.ts";
import { unpackPackages } from "./debian.ts";

/** Where Java lies in the images of the Temurin project. */
export const javaHome = "/opt/java/openjdk";

/** The runtime of Java 21. */
export const javaLayer: Layer = {
  name: "java",
  sources: [import.meta.filename, join(import.meta.dirname, "debian.ts")],
  make: async (root) => {
    await unpackPackages(root, ["openjdk-21-jre-headless"], [/^ca-certificates/]);
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    await mkdir(join(root, "opt/java"), { recursive: true });
    await symlink(`/usr/lib/jvm/java-21-openjdk-${architecture}`, join(root, javaHome));
  },
};
