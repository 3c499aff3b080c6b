import type { Cluster } from "./cluster.ts";
import { readOn, type Progress } from "./read-on.ts";

/** Where a record lay, and which of the numbered messages it is. */
export interface Entry {
  readonly n: number;
  readonly partition: number;
  readonly offset: number;
}

/** What lies in topics, as a reader of committed records sees it. What was read stays known when the topic loses it. */
export interface Ledger {
  /** Reads the topics on, to where they end now. */
  read(topics: readonly string[]): Promise<void>;
  entries(topic: string): readonly Entry[];
  /** The topic is made anew: its offsets begin at 0 again. */
  renewed(topic: string): void;
}

export function openLedger(cluster: Cluster): Ledger {
  const found = new Map<string, Entry[]>();
  const progress: Progress = new Map();
  return {
    read: (topics) =>
      readOn(cluster, topics, progress, ({ topic, partition, offset, value }) => {
        const entries = found.get(topic) ?? [];
        found.set(topic, entries);
        entries.push({ n: numberIn(value), partition, offset });
      }),
    entries: (topic) => found.get(topic) ?? [],
    renewed(topic) {
      for (const key of progress.keys()) if (key.startsWith(`${topic} `)) progress.delete(key);
    },
  };
}

/** Of a message however malformed: what is told of a dead letter is told of its own bytes. */
export function numberIn(value: Buffer | null): number {
  return Number(/"n": ?(\d+)/.exec(value?.toString("latin1", 0, 2_000) ?? "")?.[1] ?? -1);
}
