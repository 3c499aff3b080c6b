import type { NewClient } from "./client.ts";
import { clusterOf } from "./cluster.ts";

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  findGroupCoordinator(which: { groupId: string }): Promise<{ leaveGroup(who: object): Promise<unknown> }>;
}

/** Has the group forget a member that can't do it itself: else the others wait for it until its session times out. Never rejects. */
export async function leaveGroup(newClient: NewClient, groupId: string, memberId: string): Promise<void> {
  const client = newClient(5_000);
  const cluster = clusterOf(client.kafka) as Cluster;
  try {
    await cluster.connect();
    await (await cluster.findGroupCoordinator({ groupId })).leaveGroup({ groupId, memberId });
  } catch {
    // The brokers are away, or it has been forgotten.
  } finally {
    await client.end(() => cluster.disconnect());
  }
}
