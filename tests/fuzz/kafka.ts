import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Delivery, type MetroBus } from "metrobus";
import { bytesOf } from "../../runtime/buses/kafka/place.ts";
import { asItWas } from "../../runtime/buses/later/parked.ts";
import { bomb } from "../support/bombs.ts";
import { start, type Running } from "../support/program.ts";
import { checked, produce, recordBatch, recordBytes } from "../support/record-batch.ts";
import { ask } from "../support/reporting.ts";
import { dice } from "./dice.ts";
import { hostile, inHex, type HostileRecord } from "./hostile.ts";
import type { Outcomes } from "./stops.ts";

/** Hostile records and batches through a real Kafka and a real process. */

export interface KafkaFuzz {
  readonly brokers: string;
  readonly seed: number;
  readonly records: number;
  readonly delivery: Delivery;
}

export interface KafkaReport {
  /** What the process has counted, and what was never for it or never written. */
  readonly outcomes: Outcomes;
  readonly peakMB: number;
}

/** For the broker: it takes records of any time. */
export const ANY_TIME = { KAFKA_LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS: String(2n ** 63n - 1n) };

/** Routes of hostile records lead to it, too. */
const TOPIC = "Passing";
const LARGEST = 900_000;
const BATCH = 50;
const PATIENCE_MS = 120_000;
const TIMESTAMPS = [0n, -1n, 1n, 1_763_700_000_000n, 2n ** 53n, 2n ** 62n, -(2n ** 40n)];

/** A broker of its own: the topics' names stand in the routes. */
export async function fuzzKafka({ brokers, seed, records, delivery }: KafkaFuzz): Promise<KafkaReport> {
  const settings = {
    METROBUS_BUS: "kafka",
    KAFKA_BROKERS: brokers,
    METROBUS_STATS: "memory",
    METROBUS_PARTITIONS: "2",
    METROBUS_CREATE_TOPICS: "true",
    METROBUS_MAX_HOPS: "5",
    METROBUS_DELIVERY: delivery,
    CONSUMER_GROUP: `fuzz-${seed}-${delivery}`,
    LOG_LEVEL: "fatal",
  };
  await using metro = await connect(settings);
  await metro.create([TOPIC, "Next", "Other"]);
  const stop = start([process.execPath, "tests/fuzz/fixtures/stop.ts", TOPIC], settings);
  try {
    await stop.printed(/ready/);
    const refused = await send(metro, brokers, seed, records);
    await drained(metro, stop);
    return await accounted(metro, stop, refused);
  } finally {
    stop.process.kill("SIGKILL");
  }
}

/** Resolves with how many batches Kafka itself has refused. */
async function send(metro: MetroBus, brokers: string, seed: number, records: number): Promise<number> {
  let refused = 0;
  const byHand = async (batch: Buffer) => {
    if ((await produce(brokers, TOPIC, batch)) !== 0) refused++;
  };
  for (let first = 0; first < records; first += BATCH) {
    const all = Array.from({ length: BATCH }, (_, n) => hostile(seed, first + n));
    const some = all.filter((record) => bytesOf(record) < LARGEST);
    await metro.bus.send(some.map(({ key, value, headers }) => ({ topic: TOPIC, key, value, headers })));
    await byHand(damaged(some.slice(0, 5), seed, first));
  }
  for (const codec of ["gzip", "zstd", "lz4"] as const) await byHand(bomb(codec, 192));
  return refused;
}

/** A batch in which something is wrong but its checksum, with a time of any kind. */
function damaged(records: readonly HostileRecord[], seed: number, n: number): Buffer {
  const chance = dice(seed, n);
  const sound = records.filter(({ value }) => (value?.length ?? 0) < 100_000);
  const body = Buffer.concat(sound.map((each, offsetDelta) => recordBytes({ ...each, offsetDelta })));
  const firstTimestamp = chance.pick(TIMESTAMPS);
  const batch = recordBatch({ body, count: sound.length, firstTimestamp, maxTimestamp: chance.pick(TIMESTAMPS) });
  if (chance.once(2) && body.length > 0) batch[61 + chance.below(body.length)] = chance.below(256);
  return checked(batch);
}

async function drained(metro: MetroBus, stop: Running): Promise<void> {
  const ended = stop.ended.then(({ stderr }) => {
    throw new Error(`broken: the stop's process has ended: ${stderr.slice(-2_000)}`);
  });
  ended.catch(() => undefined);
  let [seen, since] = ["", Date.now()];
  for (;;) {
    const lanes = await Promise.race([metro.state(TOPIC), ended]);
    if (lanes.every(({ position, end }) => position >= end)) return;
    const now = String(lanes.map(({ position }) => position));
    if (now !== seen) [seen, since] = [now, Date.now()];
    if (Date.now() - since > PATIENCE_MS)
      throw new Error(`broken: nothing moves at offsets ${now}: ${await next(metro)}`);
    await sleep(100);
  }
}

/** The record that it stands at. */
async function next(metro: MetroBus): Promise<string> {
  for (const { lane, position, end } of await metro.state(TOPIC)) {
    if (position >= end) continue;
    for await (const record of metro.bus.read(TOPIC, lane, position, 1)) return inHex({ kind: "unknown", ...record });
  }
  return "nothing";
}

async function accounted(metro: MetroBus, stop: Running, refused: number): Promise<KafkaReport> {
  const told = await ask(stop, 1);
  const outcomes = { ...told.counts[TOPIC] };
  const came = await counted(metro);
  const sum = Object.values(outcomes).reduce((all, count) => all + count, 0);
  if (sum !== came)
    throw new Error(`broken: ${came} records came, ${sum} are accounted for: ${JSON.stringify(outcomes)}`);
  return { outcomes: { ...outcomes, "refused by Kafka": refused }, peakMB: told.peakMB };
}

/** Records of the topic that are for the stop; a batch that can't be read counts as one, as it does there. */
async function counted(metro: MetroBus): Promise<number> {
  let count = 0;
  for (const { lane, low } of await metro.bus.state("nobody", TOPIC)) {
    for await (const record of metro.bus.read(TOPIC, lane, low, Number.MAX_SAFE_INTEGER))
      if (asItWas(record, `${metro.config.consumerGroup}.${TOPIC}`) !== null) count++;
  }
  return count;
}
