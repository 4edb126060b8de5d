/** What a gateway is if nothing else is said. */
export const defaults = { storage: "1 GiB", memory: "512 MiB", exposure: "cluster" } as const;

/** MQTT over TLS. */
export const port = 8883;

/** Of the image. */
export const user = 1883;

/** Read what devices publish, one for each relay: a user has one session. No device can have such a name. */
export const readers: readonly string[] = Array.from({ length: 8 }, (_, index) => `.relay-${index + 1}`);

/** What devices publish, and which level of it names the device. */
export const topics = { filter: "devices/+/readings", pattern: "devices/%u/readings", keyLevel: 1 } as const;

/** A reading is 64 KiB at most; the rest is for the packet's header. */
export const largestPacket = 66 * 1024;

/** What all devices of a gateway fit into one Secret. */
export const mostDevices = 5_000;
