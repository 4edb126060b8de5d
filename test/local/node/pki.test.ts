import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kubeconfig, makeCertificates } from "../../../local/node/pki.ts";

let folder: string;
beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "pki-")), "pki");
  await makeCertificates(folder);
});
afterAll(() => rm(join(folder, ".."), { recursive: true }));

const certificate = async (name: string) => new X509Certificate(await readFile(join(folder, `${name}.crt`)));

it.each([
  ["apiserver", "CN=kube-apiserver"],
  ["kubelet", "O=system:nodes\nCN=system:node:node"],
  ["admin", "O=system:masters\nCN=admin"],
  ["controller-manager", "CN=system:kube-controller-manager"],
  ["scheduler", "CN=system:kube-scheduler"],
])("makes a certificate for %s that the authority has signed and that signs nothing", async (name, subject) => {
  const ca = await certificate("ca");
  const made = await certificate(name);
  expect(made.subject).toBe(subject);
  expect(made.verify(ca.publicKey)).toBe(true);
  expect([ca.ca, made.ca]).toEqual([true, false]);
});

it("names all by which the API server is called", async () => {
  const made = await certificate("apiserver");
  for (const host of ["localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"])
    expect(made.checkHost(host)).toBe(host);
  for (const ip of ["127.0.0.1", "10.96.0.1", "10.244.0.1"]) expect(made.checkIP(ip)).toBe(ip);
  expect(made.checkHost("example.org")).toBeUndefined();
});

it("lets no other user read a key", async () => {
  const keys = (await readdir(folder)).filter((file) => file.endsWith(".key"));
  expect(keys).toHaveLength(7);
  for (const key of keys) expect((await stat(join(folder, key))).mode & 0o77).toBe(0);
});

it("writes a kubeconfig with one context", async () => {
  const config = JSON.parse(await kubeconfig(folder, "admin", "https://127.0.0.1:1", "here"));
  expect(config["current-context"]).toBe("here");
  expect(config.contexts).toHaveLength(1);
  expect(Buffer.from(config.users[0].user["client-certificate-data"], "base64").toString()).toContain(
    "BEGIN CERTIFICATE",
  );
});
