import { chmod, chown, copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { images } from "../../../components/core/versions.ts";
import { run } from "../../run.ts";
import { baseLayer, path } from "../base.ts";
import { type Image, inWorkFolder, type Layer, versionOf } from "../build.ts";
import { writeUsers } from "../debian.ts";
import { needProgram } from "../host.ts";
import { javaHome, javaLayer } from "../java.ts";

const uid = 1000;

/** The classes behind Kafka's scripts. */
const tools: Readonly<Record<string, string>> = {
  "kafka-acls": "org.apache.kafka.tools.AclCommand",
  "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
  "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
  "kafka-configs": "kafka.admin.ConfigCommand",
  "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
  "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
  "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
  "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
  "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
  "kafka-features": "org.apache.kafka.tools.FeatureCommand",
  "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
  "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
  "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
  "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
  "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
  "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
  "kafka-storage": "kafka.tools.StorageTool",
  "kafka-topics": "org.apache.kafka.tools.TopicCommand",
};

const kafkaLayer: Layer = {
  name: "kafka",
  sources: [import.meta.dirname],
  versions: [images.kafka],
  make: async (root) => {
    const home = join(root, "opt/kafka");
    for (const folder of ["bin", "config", "libs", "logs"]) await mkdir(join(home, folder), { recursive: true });
    await copyJars(join(home, "libs"));
    for (const file of await readdir(import.meta.dirname)) {
      const target = file.endsWith(".sh") ? "bin" : "config";
      if (/\.(sh|yaml)$/.test(file)) await copyFile(join(import.meta.dirname, file), join(home, target, file));
    }
    for (const [script, tool] of Object.entries(tools))
      await writeFile(
        join(home, "bin", `${script}.sh`),
        `#!/bin/bash\nexec "$(dirname "$0")/kafka-run-class.sh" ${tool} "$@"\n`,
      );
    for (const script of await readdir(join(home, "bin"))) await chmod(join(home, "bin", script), 0o755);
    for (const folder of ["config", "logs"]) await chown(join(home, folder), uid, uid);
    await writeUsers(root, { name: "appuser", id: uid, home: "/home/appuser" });
  },
};

async function copyJars(folder: string): Promise<void> {
  await needProgram("mvn", "maven");
  await inWorkFolder((repository) =>
    run("mvn", [
      ...["--batch-mode", "--quiet", "--file", join(import.meta.dirname, "pom.xml")],
      ...[`-Dmaven.repo.local=${repository}`, `-Dkafka.version=${versionOf(images.kafka)}`],
      ...["dependency:copy-dependencies", `-DoutputDirectory=${folder}`],
    ]),
  );
}

/** A Kafka broker and its tools, as in the official image. */
export const kafkaImage: Image = {
  name: images.kafka,
  layers: [baseLayer, javaLayer, kafkaLayer],
  config: {
    User: "appuser",
    Env: [`${path}:${javaHome}/bin:/opt/kafka/bin`, `JAVA_HOME=${javaHome}`, "LANG=C.UTF-8"],
    WorkingDir: "/",
  },
};
