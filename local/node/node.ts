import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { alive, locked } from "../lock.ts";
import { say, step } from "../log.ts";
import { instanceFolder, runFolder } from "../paths.ts";
import { Problem } from "../problem.ts";
import { attempt, run } from "../run.ts";
import { goProgram } from "../toolchain/go.ts";
import { type Access, callApi } from "./api.ts";
import { audit } from "./audit.ts";
import { makeControlGroup } from "./cgroups.ts";
import { clearNode } from "./clear.ts";
import { containerdAnswers } from "./containerd.ts";
import { Daemons } from "./daemons.ts";
import { archives, importImages } from "./images.ts";
import { rememberMachine } from "./machine.ts";
import { kubeconfig, makeCertificates } from "./pki.ts";
import {
  containerdSettings,
  corednsSettings,
  images,
  kubeletSettings,
  kubeProxySettings,
  nodeAddress,
  nodeName,
  type Place,
  pki,
  podNetwork,
  podNetworkSettings,
  serviceNetwork,
  volumeHelperImage,
  volumeObjects,
} from "./settings.ts";

const forward = fileURLToPath(new URL("forward.ts", import.meta.url));

function placeOf(instance: string): Place {
  return { instance, data: instanceFolder(instance), run: runFolder(instance) };
}

/** The kubeconfig with which a node that is up is reached from this machine. */
export function kubeconfigFile(instance: string): string {
  return join(instanceFolder(instance), "kubeconfig");
}

/** What to put before a command to run it in the network of the node, where the pods' and Services' addresses answer. */
export function enterNode(instance: string): readonly string[] {
  return ["nsenter", `--net=/run/netns/${instance}`];
}

/** Brings the node up, or finds that it is. What an earlier run left is cleared first, other than its images. */
export async function startNode(instance: string): Promise<void> {
  const place = placeOf(instance);
  const problems = await nodeProblems(instance);
  if (problems.length === 0) return say(`The node "${instance}" is up.`);
  if (isStarted(place)) say(`The node "${instance}" is started anew, without what was on it. ${problems.join(" ")}`);
  await audit(place.data);
  const programs = {
    node: await goProgram("node"),
    coredns: await goProgram("coredns"),
    volumes: await goProgram("volumes"),
  };
  const wanted = await archives();
  await locked(join(place.data, "lock"), async () => {
    if ((await nodeProblems(instance)).length === 0) return;
    await clearNode(place);
    await step(`Starting the node "${instance}"`, () => start(place, programs, wanted));
  });
}

/** Ends the node and removes all of it but its images. */
export async function stopNode(instance: string): Promise<void> {
  const place = placeOf(instance);
  await locked(join(place.data, "lock"), () => step(`Stopping the node "${instance}"`, () => clearNode(place)));
}

/** Why the node is not up, in the user's words; nothing if it is. */
export async function nodeProblems(instance: string): Promise<string[]> {
  const place = placeOf(instance);
  if (!isStarted(place)) return ["It is not started."];
  const text = await readFile(processes(place), "utf8");
  const dead = Object.entries(JSON.parse(text) as Record<string, number>).flatMap(([name, pid]) =>
    alive(pid) ? [] : [name],
  );
  if (dead.length > 0) return [`Of its programs have ended: ${dead.join(", ")}. Their logs are in ${place.data}/logs.`];
  const { status, text: answer } = await callApi(await accessTo(place), "/readyz");
  return status === 200 ? [] : [`The API server does not answer: ${answer}`];
}

/** The ids of the node's programs, written once it is up. */
const processes = (place: Place) => join(place.data, "processes.json");
const isStarted = (place: Place) => existsSync(processes(place));

async function accessTo(place: Place): Promise<Access> {
  const read = (file: string) => readFile(join(pki(place), file));
  return {
    port: Number(await readFile(join(place.run, "port"), "utf8")),
    ca: await read("ca.crt"),
    certificate: await read("admin.crt"),
    key: await read("admin.key"),
  };
}

async function start(
  place: Place,
  programs: { readonly node: string; readonly coredns: string; readonly volumes: string },
  wanted: Awaited<ReturnType<typeof archives>>,
): Promise<void> {
  const { instance, data, run: sockets } = place;
  const logs = join(data, "logs");
  for (const folder of [logs, join(data, "cni"), join(data, "volumes"), images(place), sockets])
    await mkdir(folder, { recursive: true });
  const daemons = new Daemons(instance, logs, await makeControlGroup(instance));
  await Promise.all([makeNetwork(instance), makeCertificates(pki(place))]);
  await writeSettings(place);

  const program = (name: string) => join(programs.node, name);
  daemons.start({ name: "containerd", command: ["containerd", "--config", join(data, "containerd.toml")] });
  daemons.start({
    name: "etcd",
    command: [
      program("etcd"),
      `--data-dir=${data}/etcd`,
      "--listen-client-urls=http://127.0.0.1:2379",
      "--advertise-client-urls=http://127.0.0.1:2379",
      "--listen-peer-urls=http://127.0.0.1:2380",
      "--log-level=warn",
      "--unsafe-no-fsync",
    ],
  });
  daemons.start({ name: "kube-apiserver", command: [program("kube-apiserver"), ...apiServerFlags(place)] });
  const socket = join(sockets, "api.sock");
  daemons.start({ name: "forward-node", command: [process.execPath, forward, socket, "6443"] });
  daemons.start({
    name: "forward-machine",
    command: [process.execPath, forward, `0:${join(sockets, "port")}`, socket],
    network: "machine",
  });

  const imported = daemons
    .until("containerd answers", 30, () => containerdAnswers(place))
    .then(() => importImages(place, wanted));
  await daemons.until("a port of this machine leads to the API server", 30, async () =>
    Boolean(await readFile(join(sockets, "port")).catch(() => false)),
  );
  const access = await accessTo(place);
  await daemons.until("the API server is ready", 90, async () => (await callApi(access, "/readyz")).status === 200);
  daemons.start({
    name: "kube-controller-manager",
    command: [program("kube-controller-manager"), ...controllerManagerFlags(place)],
  });
  daemons.start({
    name: "kube-scheduler",
    command: [program("kube-scheduler"), `--kubeconfig=${data}/scheduler.kubeconfig`, "--leader-elect=false"],
  });
  daemons.start({ name: "kube-proxy", command: [program("kube-proxy"), `--config=${data}/kube-proxy.json`] });
  daemons.start({ name: "coredns", command: [join(programs.coredns, "coredns"), "-conf", join(data, "Corefile")] });
  for (const { path, object } of volumeObjects(place)) {
    const { status, text } = await callApi(access, path, object);
    if (status !== 200 && status !== 201) throw new Problem(`The API server refuses ${path}.`, text);
  }
  daemons.start({
    name: "volumes",
    command: [
      join(programs.volumes, "local-path-provisioner"),
      "start",
      `--kubeconfig=${data}/admin.kubeconfig`,
      "--namespace=kube-system",
      "--service-account-name=default",
      `--helper-image=${volumeHelperImage}`,
    ],
  });
  await imported;
  await rememberMachine();
  daemons.start({
    name: "kubelet",
    command: [
      program("kubelet"),
      `--config=${data}/kubelet.json`,
      `--kubeconfig=${data}/kubelet.kubeconfig`,
      `--root-dir=${data}/kubelet`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${nodeAddress}`,
      "--node-labels=fivefold.dev/stand-ins=mongodb",
    ],
  });

  await daemons.until("the node is ready", 90, async () => {
    const { status, text } = await callApi(access, `/api/v1/nodes/${nodeName}`);
    if (status !== 200) return false;
    const conditions: { type: string; status: string }[] = JSON.parse(text).status.conditions ?? [];
    return conditions.some((c) => c.type === "Ready" && c.status === "True");
  });
  await daemons.until("pods may use the default service account", 30, async () => {
    return (await callApi(access, "/api/v1/namespaces/default/serviceaccounts/default")).status === 200;
  });
  await daemons.until("CoreDNS is ready", 30, async () => {
    return (await attempt(enterNode(instance)[0] ?? "", [...enterNode(instance).slice(1), ...dnsCheck])).code === 0;
  });
  await writeFile(
    kubeconfigFile(instance),
    await kubeconfig(pki(place), "admin", `https://127.0.0.1:${access.port}`, instance),
    { mode: 0o600 },
  );
  await writeFile(processes(place), JSON.stringify(daemons.pids));
}

const dnsCheck = [
  process.execPath,
  "--eval",
  `fetch("http://${nodeAddress}:8181/ready").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`,
];

/** One network namespace without a way out: what the node sends stays inside. */
async function makeNetwork(instance: string): Promise<void> {
  const ip = (...args: string[]) => run("ip", args);
  await ip("netns", "add", instance);
  await ip("-n", instance, "link", "set", "lo", "up");
  await ip("-n", instance, "link", "add", "cni0", "type", "bridge");
  await ip("-n", instance, "address", "add", `${nodeAddress}/16`, "dev", "cni0");
  await ip("-n", instance, "link", "set", "cni0", "up");
  // Without a route the API server could not reach webhooks, whose Services have addresses on no device.
  await ip("-n", instance, "route", "add", serviceNetwork, "dev", "cni0");
  const [enter = "", ...args] = enterNode(instance);
  await run(enter, [...args, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1"]);
}

async function writeSettings(place: Place): Promise<void> {
  const { data } = place;
  const inside = "https://127.0.0.1:6443";
  const write = (file: string, text: string) => writeFile(join(data, file), text, { mode: 0o600 });
  await write("containerd.toml", containerdSettings(place, true));
  await write("cni/node.conflist", podNetworkSettings(place));
  await write("kubelet.json", kubeletSettings(place));
  await write("kube-proxy.json", kubeProxySettings(place));
  await write("Corefile", corednsSettings(place));
  await writeFile(join(data, "resolv.conf"), `nameserver ${nodeAddress}\n`);
  for (const user of ["admin", "kubelet", "controller-manager", "scheduler"])
    await write(`${user}.kubeconfig`, await kubeconfig(pki(place), user, inside, place.instance));
}

function apiServerFlags(place: Place): string[] {
  const folder = pki(place);
  return [
    "--etcd-servers=http://127.0.0.1:2379",
    `--service-cluster-ip-range=${serviceNetwork}`,
    `--advertise-address=${nodeAddress}`,
    `--tls-cert-file=${folder}/apiserver.crt`,
    `--tls-private-key-file=${folder}/apiserver.key`,
    `--client-ca-file=${folder}/ca.crt`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${folder}/accounts.pub`,
    `--service-account-signing-key-file=${folder}/accounts.key`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--kubelet-preferred-address-types=InternalIP",
    `--kubelet-client-certificate=${folder}/admin.crt`,
    `--kubelet-client-key=${folder}/admin.key`,
    `--kubelet-certificate-authority=${folder}/ca.crt`,
  ];
}

function controllerManagerFlags(place: Place): string[] {
  const folder = pki(place);
  return [
    `--kubeconfig=${place.data}/controller-manager.kubeconfig`,
    `--root-ca-file=${folder}/ca.crt`,
    `--service-account-private-key-file=${folder}/accounts.key`,
    `--cluster-signing-cert-file=${folder}/ca.crt`,
    `--cluster-signing-key-file=${folder}/ca.key`,
    `--cluster-cidr=${podNetwork}`,
    "--use-service-account-credentials",
    "--leader-elect=false",
  ];
}
