/** The public API of the components. */
export type { Bindable, Binding, Consumer } from "./core/binding.ts";
export { KitError } from "./core/check.ts";
export type { Transform } from "./core/component.ts";
export { Namespace, type NamespaceArgs } from "./core/namespace.ts";
export type { Duration, Size } from "./core/units.ts";
export { deployments } from "./faas/deployments/deployments.ts";
export { Faas, type FaasArgs } from "./faas/faas.ts";
export { fission } from "./faas/fission/fission.ts";
export { FissionPlatform } from "./faas/fission/install.ts";
export type { FaasProvider } from "./faas/provider.ts";
export { ExistingKafka } from "./kafka/existing.ts";
export { Kafka, type KafkaArgs } from "./kafka/kafka.ts";
export { ExistingLake, Lake, type LakeArgs } from "./lake/lake.ts";
export { ExistingMart, Mart, type MartArgs } from "./mart/mart.ts";
export { ExistingMongo, Mongo, type MongoArgs } from "./mongo/mongo.ts";
export { MqttGateway, type MqttGatewayArgs } from "./mqtt/gateway.ts";
export { Relay, type RelayArgs } from "./relay/relay.ts";
export { follow, look, type Verified, Verifier, type VerifierArgs } from "./verifier/verifier.ts";
