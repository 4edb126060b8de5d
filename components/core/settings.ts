import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Consumer } from "./binding.ts";

export interface MountedSettings {
  /** Has a JSON file for each port, and is to be mounted at `/secrets/<namespace>/<consumer>-ports`. */
  readonly secret: k8s.core.v1.Secret;
  /** Changes with the settings; pods must be replaced then. */
  readonly hash: pulumi.Output<string>;
}

/** Writes what a consumer needs to connect into one Secret. */
export function mountSettings(
  { name, namespace, parent }: Consumer,
  settings: Readonly<Record<string, pulumi.Input<object>>>,
  labels: Record<string, string>,
): MountedSettings {
  const files = pulumi.secret(
    pulumi
      .all(Object.entries(settings).map(([port, value]) => pulumi.all([port, value])))
      .apply((entries) => entries.map(([port, value]) => [port, JSON.stringify(value)] as const)),
  );
  const secret = new k8s.core.v1.Secret(
    `${name}-ports`,
    {
      metadata: { name: `${name}-ports`, namespace: namespace.metadataName, labels },
      data: files.apply((all) =>
        Object.fromEntries(all.map(([port, text]) => [port, Buffer.from(text).toString("base64")])),
      ),
    },
    { parent },
  );
  // A digest of random passwords gives none of them away.
  const hash = pulumi.unsecret(
    files.apply((all) => createHash("sha256").update(JSON.stringify(all)).digest("hex").slice(0, 16)),
  );
  return { secret, hash };
}

/** Volume and mount of a Secret made by `mountSettings`. */
export function settingsVolume({ name, namespace }: Consumer, { secret }: MountedSettings) {
  return {
    volume: { name: "ports", secret: { secretName: secret.metadata.name } },
    mount: {
      name: "ports",
      mountPath: pulumi.interpolate`/secrets/${namespace.metadataName}/${name}-ports`,
      readOnly: true,
    },
  };
}
