import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";
import { made, newGroup, startAt } from "./throughput.ts";
import type { Variant } from "./variants.ts";
import { message, workload } from "./workload.ts";

export interface Latency {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const PACE_PER_MS = 1;
/** What a variant needs to get warm is left out. */
const WARM_UP_MS = 3_000;
const paced = workload("Paced", Infinity);

/** At 1,000 messages a second: from the broker's append of the input record until the output can be read. */
export async function latency(variant: Variant, cluster: Cluster, seconds: number): Promise<Latency> {
  const { topic, outputs, partitions } = paced;
  await Promise.all([topic, ...outputs].map((each) => cluster.create([each], partitions)));
  await cluster.empty([topic, ...outputs]);
  const warmUp = WARM_UP_MS * PACE_PER_MS;
  const messages = warmUp + seconds * 1_000 * PACE_PER_MS;
  const group = newGroup();
  await using peer = startAt(variant, cluster, topic, group);
  await send(cluster, 0, 1);
  await Promise.race([peer.failed, made(variant, cluster, paced, group, 1)]);
  await pace(cluster, messages);
  await Promise.race([peer.failed, made(variant, cluster, paced, group, messages)]);
  const [sent, arrived] = await Promise.all([cluster.readable(topic), cluster.readable(outputs[0]!)]);
  const times = Array.from(sent).flatMap(([n, at]) => (n < warmUp ? [] : [arrived.get(n)! - at]));
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(times.length * 0.5)]!, p99: times[Math.floor(times.length * 0.99)]! };
}

/** What is due is sent each millisecond or so, whether the last part has arrived or not. */
async function pace(cluster: Cluster, messages: number): Promise<void> {
  const begun = performance.now();
  const sending: Promise<void>[] = [];
  for (let next = 1; next < messages;) {
    const due = Math.min(messages, 1 + Math.floor((performance.now() - begun) * PACE_PER_MS));
    if (due > next) sending.push(send(cluster, next, due));
    next = Math.max(next, due);
    await sleep(1);
  }
  await Promise.all(sending);
}

async function send({ producer }: Cluster, from: number, to: number): Promise<void> {
  const messages = Array.from({ length: to - from }, (_, at) => message(paced, from + at));
  await producer.send({ topic: paced.topic, messages, acks: 1 });
}
