import type { Admin } from "kafkajs";
import type { AdminConnection } from "./connection.ts";

export interface LaneOffsets {
  readonly partition: number;
  readonly low: number;
  readonly end: number;
  /** The group's position; negative: it has none. */
  readonly committed: number;
}

/** Every partition of a topic, in order. The topic has to exist. */
export async function laneOffsets(admin: AdminConnection, groupId: string, topic: string): Promise<LaneOffsets[]> {
  return await admin.use(async (open: Admin) => {
    const [ends, positions] = await Promise.all([
      open.fetchTopicOffsets(topic),
      open.fetchOffsets({ groupId, topics: [topic] }),
    ]);
    const committed = new Map(positions[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return ends
      .map(({ partition, low, high }) => ({
        partition,
        low: Number(low),
        end: Number(high),
        committed: committed.get(partition) ?? -1,
      }))
      .sort((a, b) => a.partition - b.partition);
  });
}

/** The group's position; -1: it has none. */
export async function positionOf(
  admin: AdminConnection,
  groupId: string,
  topic: string,
  partition: number,
): Promise<number> {
  const [found] = await admin.use((open) => open.fetchOffsets({ groupId, topics: [topic] }));
  return Number(found?.partitions.find((each) => each.partition === partition)?.offset ?? -1);
}
