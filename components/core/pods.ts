/** What every container of the kit has in common under the *restricted* Pod Security Standard. */
import type { types } from "@pulumi/kubernetes";

export const restrictedContainer: types.input.core.v1.SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

/** What the pods of the kit have besides: no token of Kubernetes, and no environment variables about other services. */
export function restrictedPodSpec(user: number) {
  return { automountServiceAccountToken: false, enableServiceLinks: false, securityContext: restrictedPod(user) };
}

/** @param user numeric id of the image's user, and of the group that owns its volumes */
export function restrictedPod(user: number): types.input.core.v1.PodSecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  };
}
