import { Problem } from "../problem.ts";
import { attempt } from "../run.ts";

/**
 * Makes sure that this machine has a program, by installing Debian's package with it if need be.
 *
 * @param test what succeeds where the program is there
 */
export async function needProgram(
  program: string,
  debianPackage: string,
  test: readonly string[] = ["/bin/sh", "-c", `command -v ${program}`],
): Promise<void> {
  const [command = "", ...testArguments] = test;
  if ((await attempt(command, testArguments)).code === 0) return;
  const apt = (...args: string[]) =>
    attempt("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], {
      // In this runlevel a package does not start the service that it brings.
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    });
  await apt("update");
  const { code, stderr } = await apt("install", "--yes", "--no-install-recommends", debianPackage);
  if (code !== 0)
    throw new Problem(
      `${program} is not there, and installing Debian's package "${debianPackage}" failed:\n${stderr.trim()}`,
      `Install it by hand: apt-get install ${debianPackage}`,
    );
}
