import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";
import { message, topics } from "./message.ts";
import { startPeer, type Peer } from "./peer.ts";
import { shareOf, type Profile } from "./profile.ts";

/** One way to make the hop: a file of peers/, and how it is started. */
export interface Variant {
  readonly name: string;
  readonly file: string;
}

export interface Throughput {
  readonly messagesPerSecond: number;
  readonly cpuSecondsPerMillion: number;
  readonly memoryMB: number;
}

export interface Latency {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const LOOK_EVERY_MS = 50;
const LOADED_AT_ONCE = 2_000;
const PACE_PER_MS = 1;
/** What a variant needs to get warm is left out. */
const WARM_UP_MS = 3_000;

let runs = 0;
const group = `bench-${Date.now()}`;
const start = (
  { file }: Variant,
  { servers: { brokers, redis } }: Cluster,
  topic: string,
  nodeOptions: readonly string[] = [],
): Peer => startPeer(file, { brokers, redis, topic, group: `${group}-${++runs}` }, nodeOptions);

export async function preload({ producer }: Cluster, messages: number): Promise<void> {
  const topic = topics.preloaded;
  for (let first = 0; first < messages; first += LOADED_AT_ONCE) {
    const part = Array.from({ length: Math.min(LOADED_AT_ONCE, messages - first) }, (_, at) =>
      message(topic, first + at),
    );
    await producer.send({ topic, messages: part });
  }
}

/** From the first record at the output to the last one, for all messages or as many as come within so many seconds. */
export async function throughput(
  variant: Variant,
  cluster: Cluster,
  messages: number,
  seconds: number,
): Promise<Throughput> {
  await cluster.empty(topics.output);
  await using peer = start(variant, cluster, topics.preloaded);
  while ((await cluster.count(topics.output)) === 0) await sleep(LOOK_EVERY_MS);
  const end = performance.now() + seconds * 1_000;
  while ((await cluster.count(topics.output)) < messages && performance.now() < end) await sleep(LOOK_EVERY_MS);
  const { cpuSeconds, memoryMB } = await peer.usage();
  await peer[Symbol.asyncDispose]();
  const { first, last, count } = await cluster.span(topics.output);
  return {
    messagesPerSecond: (count * 1_000) / (last - first),
    cpuSecondsPerMillion: (cpuSeconds * 1e6) / count,
    memoryMB,
  };
}

/** The share of a process's busy time that goes into counting and logging, by Node's own profiler, for all messages. */
export async function countingAndLogging(variant: Variant, cluster: Cluster, messages: number): Promise<number> {
  await cluster.empty(topics.output);
  const folder = await mkdtemp(join(tmpdir(), "metrobus-bench-"));
  const peer = start(variant, cluster, topics.preloaded, ["--cpu-prof", "--cpu-prof-dir", folder]);
  while ((await cluster.count(topics.output)) < messages) await sleep(LOOK_EVERY_MS);
  await peer[Symbol.asyncDispose]();
  const [file] = await readdir(folder);
  const profile = JSON.parse(await readFile(join(folder, file!), "utf8")) as Profile;
  await rm(folder, { recursive: true });
  return shareOf(
    profile,
    /\/runtime\/(books|stats-recorder|stop-counts|histogram|logger|stats-stores\/.*)\.ts$|\/node_modules\/(pino|@redis)\//,
  );
}

/** At 1,000 messages a second: from the broker's append of the input record to its append of the output record. */
export async function latency(variant: Variant, cluster: Cluster, seconds: number): Promise<Latency> {
  await Promise.all([cluster.empty(topics.paced), cluster.empty(topics.output)]);
  const warmUp = WARM_UP_MS * PACE_PER_MS;
  const messages = warmUp + seconds * 1_000 * PACE_PER_MS;
  await using peer = start(variant, cluster, topics.paced);
  await peer.usage();
  await send(cluster, 0, 1);
  while ((await cluster.count(topics.output)) === 0) await sleep(LOOK_EVERY_MS);
  await pace(cluster, messages);
  while ((await cluster.count(topics.output)) < messages) await sleep(LOOK_EVERY_MS);
  const [sent, arrived] = await Promise.all([cluster.appended(topics.paced), cluster.appended(topics.output)]);
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
  const messages = Array.from({ length: to - from }, (_, at) => message(topics.paced, from + at));
  await producer.send({ topic: topics.paced, messages, acks: 1 });
}
