import type { Admin } from "kafkajs";
import { clusterOf } from "./cluster.ts";
import type { NewClient } from "./client.ts";
import { connection, type AdminConnection, type Connection } from "./connection.ts";
import { stablePositions, type Coordinator } from "./group-requests.ts";

export interface LaneEnds {
  readonly partition: number;
  readonly low: number;
  readonly end: number;
}

/** The group's position by partition; negative: it has none. One that is missing is not known yet. */
export type Positions = ReadonlyMap<number, number>;

/** Every partition of a topic, in order. The topic has to exist. */
export async function laneEnds(admin: AdminConnection, topic: string): Promise<LaneEnds[]> {
  const ends = await admin.use((open: Admin) => open.fetchTopicOffsets(topic));
  return ends
    .map(({ partition, low, high }) => ({ partition, low: Number(low), end: Number(high) }))
    .sort((a, b) => a.partition - b.partition);
}

export async function positions(admin: AdminConnection, groupId: string, topic: string): Promise<Positions> {
  const [found] = await admin.use((open) => open.fetchOffsets({ groupId, topics: [topic] }));
  return new Map(found?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
}

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  findGroupCoordinator(which: { groupId: string }): Promise<Coordinator>;
}

export type GroupConnection = Connection<Cluster>;

export const groupConnection = (newClient: NewClient): GroupConnection =>
  connection(newClient, (kafka) => clusterOf(kafka) as Cluster);

/** As `positions`, without those that a transaction which is still open may change. */
export async function settledPositions(
  connected: GroupConnection,
  groupId: string,
  topic: string,
  partitions: readonly number[],
): Promise<Positions> {
  return await connected.use(async (cluster) => {
    const coordinator = await cluster.findGroupCoordinator({ groupId });
    return await stablePositions(coordinator, groupId, topic, partitions);
  });
}
