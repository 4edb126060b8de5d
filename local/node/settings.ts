import { containerdSocket, images, type Place, pki } from "./place.ts";

/** Names and addresses inside the node. Every instance has a network namespace of its own, so all use the same. */
export const nodeName = "node";
export const podNetwork = "10.244.0.0/16";
export const nodeAddress = "10.244.0.1";
export const serviceNetwork = "10.96.0.0/16";
export const serviceAddress = "10.96.0.1";

/** The image that holds a pod's namespaces, and the one that makes and deletes the folders of volumes. */
export const pauseImage = "localhost/pause:1";
export const volumeHelperImage = "docker.io/library/busybox:1.37";

/** @param criOn without the CRI plugin, containerd shows what an earlier run left, instead of taking it up again */
export function containerdSettings(place: Place, criOn: boolean): string {
  const disabled = ["aufs", "btrfs", "devmapper", "zfs"].map((s) => `io.containerd.snapshotter.v1.${s}`);
  if (!criOn) disabled.push("io.containerd.grpc.v1.cri");
  return `version = 2
root = "${images(place)}"
state = "${place.run}/containerd"
disabled_plugins = ${JSON.stringify(disabled)}

[grpc]
  address = "${containerdSocket(place)}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  netns_mounts_under_state_dir = true
  # Without CAP_SYS_RESOURCE runc may not lower a score and dies.
  restrict_oom_score_adj = true
  disable_apparmor = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${place.data}/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "${place.run}/runc"
`;
}

/** The pods' network. Its state lies in the run folder; the name keeps containerd's cache apart from other instances'. */
export function podNetworkSettings(place: Place): string {
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: place.instance,
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: `${place.run}/addresses`,
          ranges: [[{ subnet: podNetwork }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "loopback" },
    ],
  });
}

export function kubeletSettings(place: Place): string {
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${pki(place)}/ca.crt` },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: `${pki(place)}/kubelet.crt`,
    tlsPrivateKeyFile: `${pki(place)}/kubelet.key`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${place.instance}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    clusterDNS: [nodeAddress],
    clusterDomain: "cluster.local",
    resolvConf: `${place.data}/resolv.conf`,
    containerRuntimeEndpoint: `unix://${containerdSocket(place)}`,
    podLogsDir: `${place.data}/logs/pods`,
    volumePluginDir: `${place.data}/volume-plugins`,
    maxPods: 200,
    serializeImagePulls: false,
    kubeAPIQPS: 100,
    kubeAPIBurst: 200,
    evictionHard: { "nodefs.available": "2%", "imagefs.available": "2%", "memory.available": "200Mi" },
    // Images cannot be pulled again, so none may be collected.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  });
}

export function kubeProxySettings(place: Place): string {
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: `${place.data}/admin.kubeconfig` },
    mode: "iptables",
    clusterCIDR: podNetwork,
    hostnameOverride: nodeName,
    // Answers between pods on one bridge would else go past the address translation.
    iptables: { masqueradeAll: true },
    // Sizes of the connection table belong to the machine.
    conntrack: { maxPerCore: 0, min: 0 },
  });
}

export function corednsSettings(place: Place): string {
  return `.:53 {
  errors
  ready ${nodeAddress}:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${place.data}/admin.kubeconfig
    pods insecure
    ttl 5
  }
  cache 5
}
`;
}

/** What is on the cluster from the start: the default StorageClass and what its provisioner reads. */
export function volumeObjects(place: Place): readonly { path: string; object: object }[] {
  const script = (body: string) => `#!/bin/sh\nset -eu\n${body}\n`;
  return [
    {
      path: "/api/v1/namespaces/kube-system/configmaps/local-path-config",
      object: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "local-path-config", namespace: "kube-system" },
        data: {
          "config.json": JSON.stringify({
            nodePathMap: [{ node: "DEFAULT_PATH_FOR_NON_LISTED_NODES", paths: [`${place.data}/volumes`] }],
          }),
          setup: script('mkdir -m 0777 -p "$VOL_DIR"'),
          teardown: script('rm -rf "$VOL_DIR"'),
          "helperPod.yaml": JSON.stringify({
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name: "helper-pod" },
            spec: {
              priorityClassName: "system-node-critical",
              containers: [{ name: "helper-pod", image: volumeHelperImage, imagePullPolicy: "Never" }],
            },
          }),
        },
      },
    },
    {
      path: "/apis/storage.k8s.io/v1/storageclasses/local-path",
      object: {
        apiVersion: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata: {
          name: "local-path",
          annotations: { "storageclass.kubernetes.io/is-default-class": "true", defaultVolumeType: "local" },
        },
        provisioner: "rancher.io/local-path",
        volumeBindingMode: "WaitForFirstConsumer",
        reclaimPolicy: "Delete",
        allowVolumeExpansion: true,
      },
    },
  ];
}
