import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "../problem.ts";
import { attempt, run } from "../run.ts";
import { callApi } from "./api.ts";
import { makeControlGroup } from "./cgroups.ts";
import { containerdAnswers } from "./containerd.ts";
import { Daemons } from "./daemons.ts";
import { type ImageArchive, importImages } from "./images.ts";
import { rememberMachine } from "./machine.ts";
import { kubeconfig, makeCertificates } from "./pki.ts";
import {
  accessTo,
  enterNode,
  images,
  kubeconfigFile,
  logs,
  type Place,
  pki,
  portFile,
  processesFile,
} from "./place.ts";
import {
  containerdSettings,
  corednsSettings,
  kubeletSettings,
  kubeProxySettings,
  nodeAddress,
  nodeName,
  podNetwork,
  podNetworkSettings,
  serviceNetwork,
  volumeHelperImage,
  volumeObjects,
} from "./settings.ts";

const forward = fileURLToPath(new URL("forward.ts", import.meta.url));

/** The folders with the programs that a node is made of. */
export interface Programs {
  readonly node: string;
  readonly coredns: string;
  readonly volumes: string;
}

/** Starts all of a node on a machine that has been cleared of it, and waits until it is ready. */
export async function start(place: Place, programs: Programs, wanted: readonly ImageArchive[]): Promise<void> {
  const { instance, data, run: sockets } = place;
  for (const folder of [logs(place), join(data, "cni"), join(data, "volumes"), images(place), sockets])
    await mkdir(folder, { recursive: true });
  const daemons = new Daemons(instance, logs(place), await makeControlGroup(instance));
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
    command: [process.execPath, forward, `0:${portFile(place)}`, socket],
    network: "machine",
  });

  const imported = daemons
    .until("containerd answers", 60, () => containerdAnswers(place))
    .then(() => importImages(place, wanted));
  imported.catch(() => {}); // it is told where it is awaited
  await daemons.until("a port of this machine leads to the API server", 60, async () => existsSync(portFile(place)));
  const access = await accessTo(place);
  await daemons.until("the API server is ready", 180, async () => (await callApi(access, "/readyz")).status === 200);
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

  await daemons.until("the node is ready", 180, async () => {
    const { status, text } = await callApi(access, `/api/v1/nodes/${nodeName}`);
    if (status !== 200) return false;
    const conditions: { type: string; status: string }[] = JSON.parse(text).status.conditions ?? [];
    return conditions.some((c) => c.type === "Ready" && c.status === "True");
  });
  await daemons.until("pods may use the default service account", 60, async () => {
    return (await callApi(access, "/api/v1/namespaces/default/serviceaccounts/default")).status === 200;
  });
  await daemons.until("CoreDNS is ready", 60, async () => {
    const [enter, ...args] = enterNode(instance);
    return (await attempt(enter, [...args, ...dnsCheck])).code === 0;
  });
  await writeFile(
    kubeconfigFile(instance),
    await kubeconfig(pki(place), "admin", `https://127.0.0.1:${access.port}`, instance),
    { mode: 0o600 },
  );
  await writeFile(processesFile(place), JSON.stringify(daemons.pids));
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
  const [enter, ...args] = enterNode(instance);
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
