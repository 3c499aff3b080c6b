import { AssignerProtocol } from "kafkajs";
import { ConfigError } from "../../errors.ts";
import type { AdminConnection } from "./connection.ts";

/**
 * Throws ConfigError when members of the group read another topic: Kafka's rebalance would give out the partitions of
 * one of the two only, and say nothing.
 */
export async function checkGroup(admin: AdminConnection, group: string, topic: string): Promise<void> {
  const { groups } = await admin.use((open) => open.describeGroups([group]));
  for (const { memberMetadata } of groups[0]?.members ?? []) {
    const other = topicsOf(memberMetadata).find((name) => name !== topic);
    if (other !== undefined) throw twoTopics(group, other, topic);
  }
}

export function twoTopics(group: string, one: string, other: string): ConfigError {
  return new ConfigError([
    `the consumer group "${group}" reads topic "${one}" and can't read "${other}" too: give each stop a group of its own`,
  ]);
}

function topicsOf(metadata: Buffer): readonly string[] {
  try {
    return AssignerProtocol.MemberMetadata.decode(metadata)?.topics ?? [];
  } catch {
    return [];
  }
}
