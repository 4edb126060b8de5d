/** The readings with which is tried what must be refused, and those that show afterwards that it was. */

/** In seconds, where the verifier counts in milliseconds: no run of it takes these for its own. */
export const forged = Math.floor(Date.now() / 1000);
export const honest = forged + 1;

/** The one whose name others misuse: it speaks MQTT. */
export const victim = "device-002";
/** It speaks HTTP. */
export const httpDevice = "device-005";
export const intruder = "device-001";

export const csv = (sequence: number) => `${sequence},2026-11-23T05:00:00Z,4.2`;

export const idOf = (device: string, sequence: number) => `${device}-${sequence}`;

export const stored = (device: string, sequence: number) => ({
  id: idOf(device, sequence),
  device,
  sequence,
  at: "2026-11-23T05:00:00.000Z",
  celsius: 4.2,
  received: new Date().toISOString(),
});

export const measured = (device: string, sequence: number) => ({
  ...stored(device, sequence),
  fahrenheit: 39.56,
  hour: "2026-11-23T05:00:00.000Z",
});
