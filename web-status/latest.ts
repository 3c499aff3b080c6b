import type { Logger, Snapshot, StatsStore } from "metrobus";

/** The newest counts there are. */
export interface Latest {
  /** null: the store has not answered since this process began. */
  readonly snapshot: Snapshot | null;
  /** The store does not answer: `snapshot` is what it said last. */
  readonly stale: boolean;
}

/** Reads the counts for everyone who asks; never rejects. */
export interface LatestStats {
  read(): Promise<Latest>;
  /** The same, and counts one opening of the page. */
  open(): Promise<Latest>;
}

/** A store that hangs counts as one that is down. */
const PATIENCE_MS = 2_000;

/** Asks at the same moment share one read. That the store went away or came back is logged once. */
export function latestStats(stats: StatsStore, log: Logger): LatestStats {
  let latest: Latest = { snapshot: null, stale: false };
  let reading: Promise<Latest> | undefined;

  async function readOnce(): Promise<Latest> {
    try {
      const snapshot = await within(PATIENCE_MS, stats.read());
      if (latest.stale) log.info("the counts are back");
      latest = { snapshot, stale: false };
    } catch (error) {
      if (!latest.stale) log.warn({ err: error }, "the counts can't be read; the page says so and goes on trying");
      latest = { snapshot: latest.snapshot, stale: true };
    } finally {
      reading = undefined;
    }
    return latest;
  }

  const read = () => (reading ??= readOnce());
  return {
    read,
    open: async () => {
      const [hits, { snapshot, stale }] = await Promise.all([within(PATIENCE_MS, stats.hit()).catch(() => 0), read()]);
      return { snapshot: snapshot && { ...snapshot, hits: Math.max(hits, snapshot.hits) }, stale };
    },
  };
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`the store did not answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
