import { MetrobusError, Unavailable, type Logger, type Recent, type Snapshot, type StatsStore } from "metrobus";

/** The newest counts there are. */
export interface Latest {
  /** null: the store has not answered since this process began. */
  readonly snapshot: Snapshot | null;
  /** Why the store can't be read, and what to do about it; `snapshot` is then what it said last. null: it is fresh. */
  readonly fault: string | null;
}

/** Reads the counts for everyone who asks; never rejects. */
export interface LatestStats {
  read(): Promise<Latest>;
  /** What was done in the last quarter of an hour or so, at most five seconds old; null: it can't be read. */
  recent(): Promise<Recent | null>;
}

const RECENT_MS = 5_000;

/** Those who ask at the same moment share one read. That the store went away or came back is logged once. */
export function latestStats(stats: StatsStore, log: Logger): LatestStats {
  let latest: Latest = { snapshot: null, fault: null };
  let reading: Promise<Latest> | undefined;
  let recent: Promise<Recent | null> | undefined;
  let recentAt = -Infinity;

  async function readOnce(): Promise<Latest> {
    const before = latest;
    try {
      latest = { snapshot: await stats.read(), fault: null };
      if (before.fault) log.info("the counts can be read again");
    } catch (error) {
      latest = { snapshot: before.snapshot, fault: faultOf(error) };
      if (!before.fault) log.warn({ err: error }, "the counts can't be read; the page says so and goes on trying");
    } finally {
      reading = undefined;
    }
    return latest;
  }

  const read = () => (reading ??= readOnce());

  return {
    read,
    recent() {
      if (!recent || performance.now() - recentAt >= RECENT_MS) {
        recentAt = performance.now();
        recent = stats.recent().catch(() => null);
      }
      return recent;
    },
  };
}

/** The words of an error that metrobus itself raised are for people, and hold no secret. */
function faultOf(error: unknown): string {
  return error instanceof MetrobusError
    ? error.message
    : "the counts can't be read: the log of the status page says why";
}

/** For who needs counts, be they old. Throws Unavailable when there are none. */
export function known({ snapshot, fault }: Latest): { snapshot: Snapshot; fault: string | null } {
  if (snapshot) return { snapshot, fault };
  throw new Unavailable(`the numbers can’t be read: ${fault ?? "they have not been yet"}`);
}
