import { copyFile, cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { images } from "../../components/core/versions.ts";
import { repository } from "../paths.ts";
import { Problem } from "../problem.ts";
import { run } from "../run.ts";
import { baseLayer, path } from "./base.ts";
import { type Image, type Layer, versionOf } from "./build.ts";
import { writeUsers } from "./debian.ts";

const nodeLayer: Layer = {
  name: "node",
  sources: [import.meta.filename],
  versions: [images.node],
  make: async (root) => {
    const folder = join(repository, "node_modules", `node-linux-${process.arch}`);
    const wanted = versionOf(images.node).split("-")[0];
    const found = await readFile(join(folder, "package.json"), "utf8").then(
      (text) => JSON.parse(text).version,
      () => "none",
    );
    if (found !== wanted) throw new Problem(`Node ${wanted} for Linux is needed, found ${found}.`, "Run: npm install");
    await mkdir(join(root, "usr/local/bin"), { recursive: true });
    await copyFile(join(folder, "bin/node"), join(root, "usr/local/bin/node"));
    await cp(join(folder, "LICENSE"), join(root, "usr/share/doc/node/copyright"));
    await writeUsers(root, { name: "node", id: 1000, home: "/home/node" });
  },
};

const nodeEnvironment = [path, `NODE_VERSION=${versionOf(images.node).split("-")[0]}`];

export const nodeImage: Image = {
  name: images.node,
  layers: [baseLayer, nodeLayer],
  config: { Env: nodeEnvironment, Cmd: ["node"] },
};

const server = join(import.meta.dirname, "fission-node-environment");

const fissionNodeEnvironmentLayer: Layer = {
  name: "fission-node-environment",
  sources: [
    import.meta.filename,
    ...["server.js", "package.json", "package-lock.json"].map((file) => join(server, file)),
  ],
  make: async (root) => {
    const folder = join(root, "usr/src/app");
    await mkdir(folder, { recursive: true });
    for (const file of ["server.js", "package.json", "package-lock.json"])
      await copyFile(join(server, file), join(folder, file));
    await run("npm", ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  },
};

/** Runs the functions: our implementation of the contract of Fission's environment for Node 22. */
export const fissionNodeEnvironmentImage: Image = {
  name: images.fissionNodeEnvironment,
  layers: [baseLayer, nodeLayer, fissionNodeEnvironmentLayer],
  config: { Env: nodeEnvironment, WorkingDir: "/usr/src/app", Cmd: ["node", "server.js"] },
};
