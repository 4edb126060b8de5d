import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { CredentialsSettings } from "../../functions/kit/clients/credentials.ts";
import type { Credentials } from "../../functions/kit/ports.ts";
import type { Bindable, Binding, Consumer } from "../core/binding.ts";
import { Certificates } from "../core/certificates.ts";
import { KitError } from "../core/check.ts";
import { Component, type Transform } from "../core/component.ts";
import { labels, selector } from "../core/labels.ts";
import type { Namespace } from "../core/namespace.ts";
import { allow } from "../core/network.ts";
import { perConsumer } from "../core/per-consumer.ts";
import { accessRules, mosquittoConfiguration, startScript } from "./configuration.ts";
import { port, readers } from "./defaults.ts";
import { credentialsEntry, devicePassword, mosquittoEntry } from "./passwords.ts";
import { checkFilter, type MqttGatewaySettings, planMqttGateway } from "./plan.ts";
import { statefulSet } from "./stateful-set.ts";
import { type GatewayServer, MqttTopic } from "./topic.ts";

export interface MqttGatewayArgs extends MqttGatewaySettings {
  readonly namespace: Namespace;
  readonly transform?: {
    readonly statefulSet?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly service?: Transform<k8s.core.v1.ServiceArgs>;
  };
}

/**
 * Where devices publish their readings: MQTT over TLS, a password for each device, and each device under its own name
 * only. The name is its client id too, so a device has one connection: a second one takes the place of the first.
 *
 * The Secret `<name>-devices` holds each device's password. The gateway is one Mosquitto, which has no cluster of its
 * own: while it starts anew, devices wait. It confirms a reading before it is on disk, so what nobody has read yet of
 * the last two seconds is lost if it is killed; a regular end loses nothing.
 */
export class MqttGateway extends Component {
  readonly nodes: {
    readonly statefulSet: k8s.apps.v1.StatefulSet;
    readonly service: k8s.core.v1.Service;
    /** Each device's password. */
    readonly devices: k8s.core.v1.Secret;
  };
  /** The devices' passwords, for functions that know devices by other ways than MQTT. */
  readonly devices: Bindable<Credentials>;
  /** Where devices in the cluster connect. */
  readonly url: pulumi.Output<string>;
  readonly #names: readonly string[];
  readonly #server: GatewayServer;
  readonly #passwords: pulumi.Output<Record<string, string>>;
  #relays = 0;

  /** @throws KitError naming every problem of the settings */
  constructor(name: string, args: MqttGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    const { namespace: home, transform, ...settings } = args;
    const plan = planMqttGateway(name, settings);
    super("fivefold:mqtt:MqttGateway", name, opts);
    const namespace = home.metadataName;
    const host = pulumi.interpolate`${name}.${namespace}.svc`;
    const metadata = { namespace, labels: labels("mqtt", name) };
    const pods = { name, namespace, podLabels: selector("mqtt", name), port };

    const certificates = new Certificates(name, { hosts: ["localhost", host, ...plan.hosts] }, { parent: this });
    const root = this.child(random.RandomPassword, "passwords", { length: 32, special: false }).result;
    const all = <T>(make: (root: string, name: string, password: string) => T, names: readonly string[]) =>
      root.apply((known) => names.map((each) => [each, make(known, each, devicePassword(known, each))] as const));

    const passwordOf = all((_, __, password) => password, plan.devices).apply(Object.fromEntries<string>);
    const passwords = this.child(k8s.core.v1.Secret, "devices", {
      metadata: { ...metadata, name: `${name}-devices` },
      stringData: passwordOf,
    });
    // Without fixed names: what changes gets a new name, and with it the gateway starts anew.
    const access = this.child(k8s.core.v1.Secret, "access", {
      metadata,
      stringData: {
        "tls.crt": certificates.certificate,
        "tls.key": certificates.key,
        rules: accessRules,
        passwords: all(mosquittoEntry, [...readers, ...plan.devices]).apply((lines) =>
          lines.map(([, line]) => line).join(""),
        ),
      },
    });
    const configuration = this.child(k8s.core.v1.ConfigMap, "configuration", {
      metadata,
      data: { "mosquitto.conf": mosquittoConfiguration(plan.queue), "start.sh": startScript },
    });
    const service = this.child(
      k8s.core.v1.Service,
      "",
      {
        metadata: { ...metadata, name },
        spec: {
          type: plan.serviceType,
          selector: pods.podLabels,
          ports: [{ name: "mqtts", port, targetPort: "mqtts" }],
        },
      },
      transform?.service,
    );
    const fromAnywhere = this.child(k8s.networking.v1.NetworkPolicy, "devices", {
      metadata: { ...metadata, name: `${name}-devices` },
      spec: {
        podSelector: { matchLabels: pods.podLabels },
        policyTypes: ["Ingress"],
        ingress: [{ ports: [{ protocol: "TCP", port }] }],
      },
    });
    const set = this.child(
      k8s.apps.v1.StatefulSet,
      "",
      statefulSet(name, plan, {
        namespace,
        configuration: configuration.metadata.name,
        access: access.metadata.name,
      }),
      transform?.statefulSet,
      { dependsOn: [fromAnywhere] },
    );

    this.nodes = { statefulSet: set, service, devices: passwords };
    this.#names = plan.devices;
    this.#passwords = passwordOf;
    this.url = pulumi.interpolate`mqtts://${host}:${port}`;
    this.#server = {
      name,
      namespace: home,
      parent: this,
      url: this.url,
      ca: certificates.ca,
      reader: () => {
        const username = readers[this.#relays++];
        if (username === undefined)
          throw new KitError(`MqttGateway "${name}"`, [
            `topics: at most ${readers.length} relays can read, each for one topic`,
          ]);
        return { username, password: root.apply((known) => devicePassword(known, username)) };
      },
      reach: perConsumer((consumer) => [...allow(consumer, pods), service, set]),
    };
    const entries = pulumi.secret(all(credentialsEntry, plan.devices).apply(Object.fromEntries<string>));
    this.devices = {
      bind: () => ({ settings: entries.apply((known): CredentialsSettings => ({ entries: known })), dependsOn: [] }),
    };
    this.registerOutputs();
  }

  /**
   * What devices publish, as a source of events: `"devices/+/readings"` of all of them, or of one in place of the `+`.
   *
   * @throws KitError if no device publishes there
   */
  topic(filter: string): MqttTopic {
    checkFilter(this.componentName, filter, this.#names);
    return new MqttTopic(this.#server, filter);
  }

  /** For the verifier, which plays the devices. */
  verify(consumer: Consumer): Binding {
    const { ca, reach } = this.#server;
    return {
      settings: pulumi.secret({ url: this.url, ca, passwords: this.#passwords }),
      dependsOn: reach(consumer),
    };
  }
}
