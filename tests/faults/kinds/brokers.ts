import { docker } from "../../support/docker.ts";
import { switched, type Cluster, type Node } from "../cluster.ts";
import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
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

/** Its ways are closed first: a proxy that calls a broker that is gone hangs for up to two minutes, and with it whoever comes after. */
async function down(line: Line, { container, proxies }: Node, how: "stop" | "kill"): Promise<void> {
  allHit(line);
  await Promise.all(proxies.map((proxy) => switched(proxy, false)));
  await (how === "stop" ? docker("stop", "--time", "60", container) : docker("kill", container));
  await rest(line.upTo(3) * 1_000);
  await docker("start", container);
  await line.cluster.healthy();
  await Promise.all(proxies.map((proxy) => switched(proxy, true)));
}

async function rolling(line: Line): Promise<void> {
  for (const node of line.cluster.nodes) await down(line, node, "stop");
}

/** The leaders have to give their partitions away, and come back as followers. */
async function leadersMoved(line: Line, topics: readonly string[]): Promise<void> {
  const { cluster } = line;
  const before = await partitionsOf(cluster, topics);
  allHit(line);
  const others = ({ leader, replicas }: Placed) => replicas.filter((id) => id !== leader);
  await assign(cluster, before, others);
  const moved = async () => {
    const now = await partitionsOf(cluster, topics);
    return now.every(({ leader, replicas }, at) => leader !== before[at]!.leader && replicas.length === 2);
  };
  await waitFor(moved, 60, () => `every partition of ${topics.join(", ")} to have another leader`);
  await assign(cluster, before, (placed) => [...others(placed), placed.leader]);
  await cluster.healthy();
}

/** Of groups and of transactions: whoever leads their topics' partitions is their coordinator. */
async function coordinatorsMoved(line: Line): Promise<void> {
  const there = await line.cluster.admin((admin) => admin.listTopics());
  await leadersMoved(
    line,
    ["__consumer_offsets", "__transaction_state"].filter((topic) => there.includes(topic)),
  );
}

interface Placed {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly replicas: readonly number[];
}

async function partitionsOf({ admin }: Cluster, topics: readonly string[]): Promise<Placed[]> {
  const { topics: found } = await admin((open) => open.fetchTopicMetadata({ topics: [...topics] }));
  return found
    .flatMap(({ name, partitions }) =>
      partitions.map(({ partitionId, leader, replicas }) => ({
        topic: name,
        partition: partitionId,
        leader,
        replicas,
      })),
    )
    .toSorted((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
}

async function assign({ admin }: Cluster, partitions: readonly Placed[], to: (placed: Placed) => number[]) {
  const topics = Map.groupBy(partitions, ({ topic }) => topic);
  const assignment = Array.from(topics, ([topic, placed]) => ({
    topic,
    partitionAssignment: placed.map((each) => ({ partition: each.partition, replicas: to(each) })),
  }));
  await admin((open) => open.alterPartitionReassignments({ topics: assignment }));
}

/** One of three brokers can write no more and goes down; it comes back when there is room. */
async function diskFull(line: Line): Promise<void> {
  const { node, fill, free } = line.cluster.disk!;
  const isDown = async () => (await docker("inspect", "-f", "{{.State.Running}}", node.container)) === "false";
  allHit(line);
  await fill();
  try {
    await waitFor(isDown, 90, () => "the broker with the full disk to go down");
    await rest(2_000);
  } finally {
    await free();
  }
  allHit(line);
  await docker("start", node.container);
  await line.cluster.healthy();
}
