import * as z from "zod";
import { contract, endpoint } from "../kit/contract.ts";
import { credentials, documents, objects, records, rows, service } from "../kit/ports.ts";
import { Measurement, RawReading, ReadingChange, StoredReading } from "./events.ts";

/** `POST /readings`: takes a reading from a device that speaks HTTP instead of MQTT. */
export const ingest = endpoint({
  name: "ingest",
  entry: new URL("./ingest.ts", import.meta.url),
  in: RawReading,
  out: z.object({ accepted: z.literal(true) }),
  needs: { raw: records(RawReading), devices: credentials() },
});

/** Parses the device's format and stores the reading once. */
export const normalize = contract({
  name: "normalize",
  entry: new URL("./normalize.ts", import.meta.url),
  in: RawReading,
  needs: { readings: documents(StoredReading, "read-write") },
});

/** Writes measurements to the lake, one line for each, in the object of the second in which they were received. */
export const lakeWriter = contract({
  name: "lake-writer",
  entry: new URL("./lake-writer.ts", import.meta.url),
  in: Measurement,
  needs: { lake: objects("read-write") },
});

/** Writes measurements to the mart, one row for each. */
export const martWriter = contract({
  name: "mart-writer",
  entry: new URL("./mart-writer.ts", import.meta.url),
  in: Measurement,
  needs: { mart: rows(Measurement) },
});

/** Computes what follows from a stored reading and has it written to lake and mart. */
export const compute = contract({
  name: "compute",
  entry: new URL("./compute.ts", import.meta.url),
  in: ReadingChange,
  needs: { readings: documents(StoredReading, "read"), lake: service(lakeWriter), mart: service(martWriter) },
});
