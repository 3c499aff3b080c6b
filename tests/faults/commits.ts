import type { Cluster } from "./cluster.ts";
import { readOn } from "./read-on.ts";

const TOPIC = "__consumer_offsets";
/** Of the keys in that topic: those of positions, in either version of it. */
const POSITION_VERSIONS = [0, 1];

/**
 * Every position that a group has ever committed, as Kafka itself has written them down, in that order: one that is lower
 * than the one before was committed by somebody who had lost the partition.
 */
export async function backwards(cluster: Cluster, topics: readonly string[]): Promise<string[]> {
  const last = new Map<string, bigint>();
  const found: string[] = [];
  await readOn(cluster, [TOPIC], new Map(), ({ key, value }) => {
    const where = key && positionKey(key);
    if (!where || !value || !topics.includes(where.topic)) return;
    const place = `${where.group} ${where.topic} ${where.partition}`;
    const position = value.readBigInt64BE(2);
    const before = last.get(place) ?? -1n;
    if (position < before) found.push(`${place}: ${before} → ${position}`);
    last.set(place, position);
  });
  if (last.size === 0) throw new Error(`no position of ${topics.join(", ")} was found in ${TOPIC}`);
  return found;
}

/** Version, group, topic, partition; numbers in big endian, texts with their length before them. */
function positionKey(key: Buffer): { group: string; topic: string; partition: number } | null {
  if (!POSITION_VERSIONS.includes(key.readInt16BE(0))) return null;
  const group = text(key, 2);
  const topic = text(key, group.end);
  return { group: group.text, topic: topic.text, partition: key.readInt32BE(topic.end) };
}

function text(bytes: Buffer, at: number): { text: string; end: number } {
  const end = at + 2 + bytes.readInt16BE(at);
  return { text: bytes.toString("utf8", at + 2, end), end };
}
