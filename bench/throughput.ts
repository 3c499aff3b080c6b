import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";
import { startPeer, type Peer } from "./peer.ts";
import type { Variant } from "./variants.ts";
import type { Workload } from "./workload.ts";

export interface Throughput {
  readonly messagesPerSecond: number;
  readonly cpuSecondsPerMillion: number;
  readonly memoryMB: number;
}

const LOOK_EVERY_MS = 50;

let groups = 0;
const run = Date.now();

/** A consumer group that nobody had before. */
export const newGroup = (): string => `bench-${run}-${++groups}`;

export function startAt(
  variant: Variant,
  { servers: { brokers, redis } }: Cluster,
  topic: string,
  group: string,
  nodeOptions: readonly string[] = [],
): Peer {
  return startPeer(variant, { brokers, redis, topic, group }, nodeOptions);
}

/** Resolves when so many messages have made the hop, or the time is over; with how many have. */
export async function made(
  { isTransactional }: Variant,
  cluster: Cluster,
  { topic, outputs }: Pick<Workload, "topic" | "outputs">,
  group: string,
  messages: number,
  seconds = Infinity,
): Promise<number> {
  // Records that end transactions are counted at the output: there the group's position says it.
  const look = () => (isTransactional ? cluster.done(group, topic) : cluster.count(outputs));
  const end = performance.now() + seconds * 1_000;
  for (;;) {
    const count = await look();
    if (count >= messages || performance.now() >= end) return count;
    await sleep(LOOK_EVERY_MS);
  }
}

/**
 * From the first message at the output to the last one, for all messages or as many as come within so many seconds.
 * `processes` share the work; CPU time and memory are of all.
 */
export async function throughput(
  variant: Variant,
  cluster: Cluster,
  work: Workload,
  { seconds = Infinity, processes = 1 } = {},
): Promise<Throughput> {
  await cluster.empty(work.outputs);
  const group = newGroup();
  const peers = Array.from({ length: processes }, () => startAt(variant, cluster, work.topic, group));
  const failed = Promise.race(peers.map((peer) => peer.failed));
  await Promise.race([failed, made(variant, cluster, work, group, 1)]);
  await Promise.race([failed, made(variant, cluster, work, group, work.messages, seconds)]);
  const used = await Promise.all(peers.map((peer) => peer.usage()));
  await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
  const count = await made(variant, cluster, work, group, 0);
  const { first, last } = await cluster.span(work.outputs);
  const sum = (what: "cpuSeconds" | "memoryMB") => used.reduce((total, usage) => total + usage[what], 0);
  return {
    messagesPerSecond: (count * 1_000) / (last - first),
    cpuSecondsPerMillion: (sum("cpuSeconds") * 1e6) / count,
    memoryMB: sum("memoryMB"),
  };
}
