import { existsSync } from "node:fs";
import { mkdir, readFile, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { step } from "../log.ts";
import { Problem } from "../problem.ts";
import { attempt } from "../run.ts";

const gigabyte = 1e9;

/** Debian's package for each program that the node, or the building of its images, needs. */
const packages: Readonly<Record<string, string>> = {
  containerd: "containerd",
  runc: "runc",
  "/usr/lib/cni/bridge": "containernetworking-plugins",
  iptables: "iptables",
  ip: "iproute2",
  nsenter: "util-linux",
  openssl: "openssl",
  buildah: "buildah",
  busybox: "busybox-static",
  debootstrap: "debootstrap",
};

/** Checks that this machine can carry a node, and installs Debian's packages that are missing. */
export async function audit(folder: string): Promise<void> {
  const missing: string[] = [];
  if (process.platform !== "linux") missing.push(`Linux (this is ${process.platform})`);
  else {
    if (process.getuid?.() !== 0) missing.push("root (run it with sudo)");
    if (totalmem() < 7.5 * gigabyte)
      missing.push(`8 GB of memory (this machine has ${Math.round(totalmem() / gigabyte)})`);
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < 10 * gigabyte)
      missing.push(`10 GB of disk below ${folder} (${Math.round((bavail * bsize) / gigabyte)} are free)`);
    const filesystems = await readFile("/proc/filesystems", "utf8");
    if (!/\toverlay$/m.test(filesystems) && (await attempt("modprobe", ["overlay"])).code !== 0)
      missing.push("the kernel's overlay file system");
    if ((await attempt("unshare", ["--net", "true"])).code !== 0) missing.push("network namespaces");
    if ((await attempt("test", ["-w", "/sys/fs/cgroup"])).code !== 0)
      missing.push("control groups that can be written");
    if (existsSync("/var/lib/kubelet/config.yaml")) missing.push("a machine that is not a Kubernetes node already");
  }
  if (missing.length > 0)
    throw new Problem(
      `The embedded node cannot run on this machine. It needs:\n${missing.map((m) => `  - ${m}`).join("\n")}`,
      "To use a cluster of your own instead: npm start -- --context NAME (a context of your kubeconfig).",
    );
  await installPackages();
}

async function installPackages(): Promise<void> {
  const absent = await missingPackages();
  if (absent.length === 0) return;
  if ((await attempt("apt-get", ["--version"])).code !== 0)
    throw new Problem(
      `The embedded node needs programs that are not installed. Debian's packages are named: ${absent.join(" ")}`,
      "Install what your system calls them, or use a cluster of your own: npm start -- --context NAME",
    );
  await step(`Installing ${absent.join(" ")}`, async () => {
    const apt = (...args: string[]) =>
      attempt("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=300", ...args], {
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      });
    await apt("update");
    const { code, stderr } = await apt("install", "--yes", "--no-install-recommends", ...absent);
    if (code !== 0) throw new Problem(`Debian's packages cannot be installed: ${absent.join(" ")}`, stderr.trim());
  });
}

async function missingPackages(): Promise<string[]> {
  const names = await Promise.all(
    Object.entries(packages).map(async ([program, name]) => {
      const test = program.startsWith("/") ? `test -x ${program}` : `command -v ${program}`;
      return (await attempt("/bin/sh", ["-c", test])).code === 0 ? [] : [name];
    }),
  );
  return names.flat();
}
