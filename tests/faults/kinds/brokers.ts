import { docker } from "../../support/docker.ts";
import { SMALL_DISK, type Cluster, type Node } from "../cluster.ts";
import type { Fault } from "../faults.ts";
import { PARTITIONS, type Line } from "../line.ts";
import { rest, waitFor } from "../patience.ts";

export const brokers: Record<string, Fault> = {
  "broker restarted": { run: (line) => down(line, anyNode(line), "stop"), peers: true },
  "broker killed": { run: (line) => down(line, anyNode(line), "kill"), peers: true },
  "leaders changed": { run: (line) => leadersMoved(line, line.route), brokers: 3 },
  "coordinators moved": { run: coordinatorsMoved, brokers: 3 },
  "rolling restart": { run: rolling, brokers: 3 },
  "disk full on a broker": { run: diskFull, brokers: 3 },
};

const anyNode = ({ cluster, upTo }: Line): Node => cluster.nodes[upTo(cluster.nodes.length) - 1]!;

/** Every stop feels what happens to a broker. */
function allHit({ hit, unanswered, stops }: Line): void {
  hit(stops.length);
  unanswered();
}

async function down(line: Line, { container }: Node, how: "stop" | "kill"): Promise<void> {
  allHit(line);
  await docker(how, container);
  await rest(line.upTo(3) * 1_000);
  await docker("start", container);
  await line.cluster.healthy();
}

async function rolling(line: Line): Promise<void> {
  for (const node of line.cluster.nodes) await down(line, node, "stop");
}

/** The next replica of every partition becomes its leader. */
async function leadersMoved(line: Line, topics: readonly string[]): Promise<void> {
  const { cluster } = line;
  const before = await leadersOf(cluster, topics);
  allHit(line);
  await cluster.admin(async (admin) => {
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
    const rotated = found.map(({ name, partitions }) => ({
      topic: name,
      partitionAssignment: partitions.map(({ partitionId, leader, replicas }) => ({
        partition: partitionId,
        replicas: [...replicas.filter((id) => id !== leader), leader],
      })),
    }));
    await admin.alterPartitionReassignments({ topics: rotated });
  });
  const partitions = topics.flatMap((topic) =>
    Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })),
  );
  // Internal topics have more partitions than the line's: all are asked for.
  const which = topics === line.route ? JSON.stringify({ partitions }) : "";
  const args = ["--election-type", "preferred"];
  if (which) await cluster.tool("kafka-leader-election.sh", [...args, "--path-to-json-file", "/dev/stdin"], which);
  else await cluster.tool("kafka-leader-election.sh", [...args, "--all-topic-partitions"]);
  const moved = async () => (await leadersOf(cluster, topics)).every((leader, at) => leader !== before[at]);
  await waitFor(moved, 60, () => `every leader of ${topics.join(", ")} to be another than ${before.join(", ")}`);
}

/** Of groups and of transactions: whoever leads their topics' partitions is their coordinator. */
async function coordinatorsMoved(line: Line): Promise<void> {
  const there = await line.cluster.admin((admin) => admin.listTopics());
  await leadersMoved(
    line,
    ["__consumer_offsets", "__transaction_state"].filter((topic) => there.includes(topic)),
  );
}

async function leadersOf({ admin }: Cluster, topics: readonly string[]): Promise<number[]> {
  const { topics: found } = await admin((open) => open.fetchTopicMetadata({ topics: [...topics] }));
  return topics.flatMap((topic) => found.find(({ name }) => name === topic)!.partitions.map(({ leader }) => leader));
}

/** One of three brokers can write no more and goes down; it comes back with an empty disk. */
async function diskFull(line: Line): Promise<void> {
  const { container } = line.cluster.nodes[2]!;
  allHit(line);
  const fill = `dd if=/dev/zero of=${SMALL_DISK}/ballast bs=1M`;
  await docker("exec", container, "sh", "-c", `${fill} || true`);
  const isDown = async () => (await docker("inspect", "-f", "{{.State.Running}}", container)) === "false";
  await waitFor(isDown, 60, () => "the broker with the full disk to go down");
  await rest(2_000);
  await docker("start", container);
  allHit(line);
  await line.cluster.healthy();
}
