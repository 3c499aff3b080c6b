import { until } from "./backoff.ts";
import { asError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Flush, OutcomeKind, StatsStore, StopFlush } from "./stats-store.ts";
import { stopCounts, type StopCounts } from "./stop-counts.ts";

export interface StatsRecorder {
  /** So many messages of a stop with one outcome. */
  count(stop: string, outcome: OutcomeKind, detail: string, messages?: number): void;
  /** How long one message was worked on, and how long it had waited; milliseconds. */
  times(stop: string, workedMs: number, waitedMs: number): void;
  /** Records that retention removed before they were read. */
  gap(stop: string, records: number): void;
  /** Since when a stop's breaker is open (epoch ms), or that it is closed (0): told on each change, and every second while it is open. */
  breaker(stop: string, openSince: number): void;
  /** Writes all that is counted now. Resolves when that was tried, or at `deadline` (epoch ms; default: none); never rejects. */
  flush(deadline?: number): Promise<void>;
  /** Writes what is left, trying again until `deadline` (epoch ms; default: 2 s from now), and says what was lost if it can't. */
  close(deadline?: number): Promise<void>;
}

export interface RecorderOptions {
  /** Names this process among all that write to the store: never used before. */
  instance: string;
  log: Pick<Logger, "warn" | "info">;
  /** Default: 250. */
  flushEveryMs?: number;
  /** Epoch ms; default: the clock. */
  now?: () => number;
}

const CLOSE_WITHIN_MS = 2_000;

/**
 * Counts in memory and writes the differences a few times a second. What could not be written is written again, the
 * same with the same number, so it counts once; what is counted meanwhile adds up in fixed space and goes with the next.
 * Counting never waits for the store and never fails; that the store is down, and that it is back, is logged once.
 */
export function statsRecorder(store: StatsStore, options: RecorderOptions): StatsRecorder {
  const { instance, log, flushEveryMs = 250, now = Date.now } = options;
  const stops = new Map<string, StopCounts>();
  let sequence = 0;
  /** When the first of what is counted and not collected was counted; null: nothing is. */
  let since: number | null = null;
  /** Tried, and not known to be written. */
  let unwritten: Flush | null = null;
  let down = false;
  let timer: NodeJS.Timeout | undefined;
  let last: Promise<void> = Promise.resolve();

  function of(stop: string): StopCounts {
    let counts = stops.get(stop);
    if (!counts) stops.set(stop, (counts = stopCounts()));
    since ??= now();
    if (!timer) arm();
    return counts;
  }

  /** Only while there is something to write; it does not keep the process alive. */
  function arm(): void {
    timer = setTimeout(tick, flushEveryMs).unref();
  }

  function tick(): void {
    void flush().then(() => {
      timer = undefined;
      if (since !== null || unwritten) arm();
    });
  }

  function collect(): Flush | null {
    if (since === null) return null;
    const coversMs = now() - since;
    since = null;
    const taken: StopFlush[] = [];
    for (const [stop, counts] of stops) {
      const differences = counts.take();
      if (differences) taken.push({ stop, ...differences });
    }
    return { instance, sequence: ++sequence, coversMs, stops: taken };
  }

  /** Resolves with whether there is nothing unwritten. */
  async function write(): Promise<boolean> {
    if (!unwritten) return true;
    try {
      await store.write(unwritten);
    } catch (error) {
      if (!down) log.warn(`counts can't be written and are kept until they can: ${asError(error).message}`);
      down = true;
      return false;
    }
    unwritten = null;
    if (down) log.info("counts are written again; none was lost");
    down = false;
    return true;
  }

  function flush(): Promise<void> {
    last = last.then(async () => {
      if (!(await write())) return;
      unwritten = collect();
      await write();
    });
    return last;
  }

  async function untilWritten(over: () => boolean): Promise<void> {
    while ((since !== null || unwritten) && !over()) {
      await flush();
      if (unwritten) await new Promise((resolve) => setTimeout(resolve, flushEveryMs));
    }
  }

  return {
    count: (stop, outcome, detail, messages = 1) => of(stop).count(outcome, detail, messages, now()),
    times: (stop, workedMs, waitedMs) => of(stop).times(workedMs, waitedMs),
    gap: (stop, records) => of(stop).gap(records),
    breaker: (stop, openSince) => of(stop).breaker(openSince),
    flush: (deadline) => (deadline === undefined ? flush() : until(deadline, flush())),
    async close(deadline = Date.now() + CLOSE_WITHIN_MS) {
      await until(
        deadline,
        untilWritten(() => Date.now() >= deadline),
      );
      clearTimeout(timer);
      if (since !== null || unwritten)
        log.warn("the last counts could not be written and are lost: the stats store is down");
    },
  };
}
