import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";
import { nodeAddress, nodeName, serviceAddress } from "./settings.ts";

/** A certificate, what it is for, and what Kubernetes reads from its subject: CN is the user, O the groups. */
interface Certificate {
  readonly name: string;
  readonly subject: string;
  readonly use: string;
  readonly alternatives?: string;
}

const certificates: readonly Certificate[] = [
  {
    name: "apiserver",
    subject: "/CN=kube-apiserver",
    use: "serverAuth",
    alternatives: [
      "DNS:localhost",
      "DNS:kubernetes",
      "DNS:kubernetes.default",
      "DNS:kubernetes.default.svc",
      "DNS:kubernetes.default.svc.cluster.local",
      "IP:127.0.0.1",
      `IP:${serviceAddress}`,
      `IP:${nodeAddress}`,
    ].join(),
  },
  {
    name: "kubelet",
    subject: `/O=system:nodes/CN=system:node:${nodeName}`,
    use: "serverAuth,clientAuth",
    alternatives: `DNS:${nodeName},IP:${nodeAddress}`,
  },
  { name: "admin", subject: "/O=system:masters/CN=admin", use: "clientAuth" },
  { name: "controller-manager", subject: "/CN=system:kube-controller-manager", use: "clientAuth" },
  { name: "scheduler", subject: "/CN=system:kube-scheduler", use: "clientAuth" },
];

/** Makes the node's certificate authority, its certificates and the key with which service accounts' tokens are signed. */
export async function makeCertificates(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const openssl = (words: string, ...more: string[]) => run("openssl", [...words.split(" "), ...more], { cwd: folder });
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650";
  const authority = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature";
  await openssl(`req -x509 ${key} -keyout ca.key -out ca.crt -subj /CN=fivefold ${authority}`);
  await Promise.all(
    certificates.map(({ name, subject, use, alternatives }) =>
      openssl(
        `req -x509 -CA ca.crt -CAkey ca.key ${key} -keyout ${name}.key -out ${name}.crt -subj ${subject}`,
        ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", `extendedKeyUsage=${use}`],
        ...(alternatives ? ["-addext", `subjectAltName=${alternatives}`] : []),
      ),
    ),
  );
  const accounts = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  await writeFile(join(folder, "accounts.key"), accounts.privateKey, { mode: 0o600 });
  await writeFile(join(folder, "accounts.pub"), accounts.publicKey);
}

/** The text of a kubeconfig with one context, which carries its certificates in itself. */
export async function kubeconfig(pki: string, user: string, server: string, context: string): Promise<string> {
  const data = async (file: string) => (await readFile(join(pki, file))).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: context, cluster: { server, "certificate-authority-data": await data("ca.crt") } }],
    users: [
      {
        name: context,
        user: {
          "client-certificate-data": await data(`${user}.crt`),
          "client-key-data": await data(`${user}.key`),
        },
      },
    ],
    contexts: [{ name: context, context: { cluster: context, user: context } }],
    "current-context": context,
  });
}
