/**
 * Every image, chart and API version that the kit uses, in one place.
 *
 * The embedded node (`local/`) builds images under these very names, so that manifests are the same everywhere.
 */
export const images = {
  /** Runs the relay, services, set-up jobs and the verifier. */
  node: "docker.io/library/node:22.23.3-trixie-slim",
  kafka: "docker.io/apache/kafka:4.3.1",
  mongo: "docker.io/library/mongo:8.0.26",
  seaweedfs: "docker.io/chrislusf/seaweedfs:4.48",
  postgres: "docker.io/library/postgres:17.12-trixie",
  valkey: "docker.io/valkey/valkey:9.1.2",
  mosquitto: "docker.io/library/eclipse-mosquitto:2.0.21",
  fissionBundle: "ghcr.io/fission/fission-bundle:v1.27.0",
  fissionFetcher: "ghcr.io/fission/fetcher:v1.27.0",
  fissionNodeEnvironment: "ghcr.io/fission/node-env-22:1.35",
  /** The one that this Envoy Gateway is made for. */
  envoy: "docker.io/envoyproxy/envoy:distroless-v1.39.1",
  envoyGateway: "docker.io/envoyproxy/gateway:v1.9.1",
} as const;

export const fission = { version: "1.27.0", repository: "https://fission.github.io/fission-charts" } as const;

export const envoyGateway = { version: "1.9.1", chart: "oci://docker.io/envoyproxy/gateway-helm" } as const;

/** Of the definitions of Gateway API. */
export const gatewayApi = { version: "1.6.1" } as const;
