import { Problem } from "../problem.ts";
import { attempt } from "../run.ts";

/** Makes sure that this machine has a program, by installing Debian's package with it if need be. */
export async function needProgram(program: string, test: readonly string[], debianPackage: string): Promise<void> {
  if ((await attempt(program, test)).code === 0) return;
  const apt = (...args: string[]) =>
    attempt("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  await apt("update");
  const { code, stderr } = await apt("install", "--yes", "--no-install-recommends", debianPackage);
  if (code !== 0)
    throw new Problem(
      `${program} is not there, and installing Debian's package "${debianPackage}" failed:\n${stderr.trim()}`,
      `Install it by hand: apt-get install ${debianPackage}`,
    );
}
