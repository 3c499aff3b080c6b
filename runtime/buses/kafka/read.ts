import { createRequire } from "node:module";
import type { Batch } from "kafkajs";
import type { Received } from "../../bus.ts";
import { Unavailable } from "../../errors.ts";
import type { NewClient } from "./client.ts";
import { clusterOf } from "./cluster.ts";
import { typeOf } from "./failures.ts";
import { receive } from "./receive.ts";

export interface ReadSetting {
  readonly topic: string;
  readonly lane: string;
  readonly from: bigint;
  readonly limit: number;
  readonly newClient: NewClient;
  /** Tries until it works, as long as whoever asks waits. */
  readonly ask: <T>(what: string, attempt: () => Promise<T>) => Promise<T>;
}

interface Answer {
  readonly responses: readonly { readonly partitions: readonly object[] }[];
}

interface Broker {
  fetch(what: object): Promise<Answer>;
}

/** What kafkajs keeps to itself: it reads in groups only, and to join one takes seconds. */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, readonly number[]>;
  findBroker(which: { nodeId: string }): Promise<Broker>;
  fetchTopicsOffset(topics: readonly object[]): Promise<readonly { partitions: readonly { offset: string }[] }[]>;
}

const Fetched = createRequire(import.meta.url)("kafkajs/src/consumer/batch.js") as new (
  topic: string,
  from: string,
  partition: object,
) => Batch & { readonly rawMessages: readonly unknown[] };

const READ_COMMITTED = 1;
const MOST_BYTES = 512 * 1024;
const LONGEST_WAIT_MS = 100;

/** At most `limit` records from a position on, up to where the lane ends now. The topic has to exist. */
export async function* read({ topic, lane, from, limit, newClient, ask }: ReadSetting): AsyncIterable<Received> {
  if (limit <= 0 || !/^\d{1,10}$/.test(lane)) return;
  const client = newClient();
  const partition = open(clusterOf(client.kafka) as Cluster, topic, Number(lane));
  const attempt = <T>(step: () => Promise<T>) => ask(`reading partition ${lane} of topic "${topic}"`, step);
  try {
    const bounds = await attempt(partition.bounds);
    let [next, end] = [Math.max(Number(from), bounds.low), bounds.end];
    const fetch = () => {
      const fetched = attempt(() => partition.fetch(next));
      // Whoever stops reading does not wait for it.
      fetched.catch(() => undefined);
      return fetched;
    };
    if (next >= end) return;
    let coming = fetch();
    for (let left = limit; next < end;) {
      const batch = await coming;
      if (!batch) {
        const now = await attempt(partition.bounds);
        [next, end] = [Math.max(next, now.low), Math.min(end, now.end)];
        coming = fetch();
        continue;
      }
      const records = receive(batch, next);
      // What lies behind the last record, such as markers, is read too; a broker may also give nothing for now.
      if (batch.rawMessages.length > 0) next = Math.max(next, Number(batch.lastOffset()) + 1);
      // The next are on their way while these are looked at.
      if (next < end && records.length < left) coming = fetch();
      for (const record of records) {
        if (Number(record.position) >= end) return;
        yield record;
        if (--left === 0) return;
      }
    }
  } finally {
    await client.end(partition.close);
  }
}

function open(cluster: Cluster, topic: string, partition: number) {
  let connected = false;
  let closed = false;

  /** Whatever fails, the next attempt asks anew who leads the partition. */
  async function leading<T>(ask: () => Promise<T>): Promise<T> {
    if (closed) throw new Unavailable(`nobody reads partition ${partition} of topic "${topic}" any more`);
    try {
      if (!connected) {
        await cluster.connect();
        await cluster.addTargetTopic(topic);
      }
      connected = true;
      return await ask();
    } catch (error) {
      if (connected && !closed) await cluster.refreshMetadata().catch(() => undefined);
      throw error;
    }
  }

  async function offset(fromBeginning: boolean): Promise<number> {
    const [found] = await cluster.fetchTopicsOffset([{ topic, fromBeginning, partitions: [{ partition }] }]);
    return Number(found?.partitions[0]?.offset ?? 0);
  }

  async function fetchFrom(next: number): Promise<InstanceType<typeof Fetched>> {
    const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
    if (leader === undefined) throw new Error(`partition ${partition} of topic "${topic}" has no leader`);
    const broker = await cluster.findBroker({ nodeId: leader });
    const partitions = [{ partition, fetchOffset: String(next), maxBytes: MOST_BYTES }];
    const { responses } = await broker.fetch({
      isolationLevel: READ_COMMITTED,
      maxWaitTime: LONGEST_WAIT_MS,
      topics: [{ topic, partitions }],
    });
    return new Fetched(topic, String(next), responses[0]!.partitions[0]!);
  }

  return {
    bounds: () =>
      leading(async () => {
        const [low, end] = await Promise.all([offset(true), offset(false)]);
        return { low, end };
      }),
    /** null: retention has removed what lay there. */
    fetch: (next: number) =>
      leading(() => fetchFrom(next)).catch((error: unknown) => {
        if (typeOf(error) === "OFFSET_OUT_OF_RANGE") return null;
        throw error;
      }),
    close() {
      closed = true;
      return cluster.disconnect();
    },
  };
}
