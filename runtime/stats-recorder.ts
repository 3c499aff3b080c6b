import { until } from "./backoff.ts";
import { asError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Flush, Orders, OutcomeKind, Presence, StatsStore, StopFlush, StopPresence } from "./stats-store.ts";
import { stopCounts, type StopCounts } from "./stop-counts.ts";

/** A stop of this process. */
export interface Member {
  readonly stop: string;
  /** Asked every two seconds. */
  tell(): StopPresence;
  /** Told with every write whether it is to hold its messages. */
  pause(paused: boolean): void;
}

export interface StatsRecorder {
  /** So many messages of a stop with one outcome. */
  count(stop: string, outcome: OutcomeKind, detail: string, messages?: number): void;
  /** How long one message was worked on, and how long it had waited (milliseconds) since the stop `from` ("": none) had sent it. */
  times(stop: string, workedMs: number, waitedMs: number, from: string): void;
  /** Records that retention removed before they were read. */
  gap(stop: string, records: number): void;
  /** Since when a stop's breaker is open (epoch ms), or that it is closed (0): told on each change, and every second while it is open. */
  breaker(stop: string, openSince: number): void;
  /** From now on the stop is told of, and hears what it is to do: when this resolves, unless the store is away. Never rejects. */
  join(member: Member): Promise<void>;
  /** It is told of no more. */
  leave(member: Member): void;
  /** Writes all that is counted now. Resolves when that was tried, or at `deadline` (epoch ms; default: none); never rejects. */
  flush(deadline?: number): Promise<void>;
  /** Writes what is left, trying again until `deadline` (epoch ms; default: 2 s from now), and says what was lost if it can't. */
  close(deadline?: number): Promise<void>;
}

export interface RecorderOptions {
  /** Names this process among all that write to the store: never used before. */
  instance: string;
  /** What is told of the process, besides its stops. */
  process?: Omit<Presence, "stops">;
  log: Pick<Logger, "warn" | "info">;
  /** Default: 250. */
  flushEveryMs?: number;
  /** Epoch ms; default: the clock. */
  now?: () => number;
}

const CLOSE_WITHIN_MS = 2_000;
const TELL_EVERY_MS = 2_000;
/** A store that hangs keeps no stop from beginning. */
const JOIN_WITHIN_MS = 2_000;

/**
 * Counts in memory and writes the differences a few times a second. What could not be written is written again, the
 * same with the same number, so it counts once; what is counted meanwhile adds up in fixed space and goes with the next.
 * Counting never waits for the store and never fails; that the store is down, and that it is back, is logged once.
 */
export function statsRecorder(store: StatsStore, options: RecorderOptions): StatsRecorder {
  const { instance, log, flushEveryMs = 250, now = Date.now } = options;
  const { process = { host: "", pid: 0, version: "", startedAt: now() } } = options;
  const stops = new Map<string, StopCounts>();
  const members = new Set<Member>();
  /** When it is time to tell of the process; Infinity: there is nothing to tell. */
  let tellAt = Infinity;
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
    arm();
    return counts;
  }

  /** Only while there is something to write, or stops to tell of; it does not keep the process alive. */
  function arm(): void {
    timer ??= setTimeout(tick, flushEveryMs).unref();
  }

  function tick(): void {
    void flush().then(() => {
      timer = undefined;
      if (since !== null || unwritten || members.size > 0) arm();
    });
  }

  function collect(): Flush | null {
    const isTelling = performance.now() >= tellAt;
    if (since === null && !isTelling) return null;
    const coversMs = since === null ? 0 : now() - since;
    since = null;
    const taken: StopFlush[] = [];
    for (const [stop, counts] of stops) {
      const differences = counts.take();
      if (differences) taken.push({ stop, ...differences });
    }
    return { instance, sequence: ++sequence, coversMs, stops: taken, ...(isTelling && { presence: presence() }) };
  }

  function presence(): Presence {
    tellAt = members.size > 0 ? performance.now() + TELL_EVERY_MS : Infinity;
    return { ...process, stops: [...members].map((member) => member.tell()) };
  }

  function obey({ paused }: Orders): void {
    for (const member of members) member.pause(paused.includes(member.stop));
  }

  /** Resolves with whether there is nothing unwritten. */
  async function write(): Promise<boolean> {
    if (!unwritten) return true;
    try {
      obey(await store.write(unwritten));
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
    while ((since !== null || unwritten || performance.now() >= tellAt) && !over()) {
      await flush();
      if (unwritten) await new Promise((resolve) => setTimeout(resolve, flushEveryMs));
    }
  }

  return {
    count: (stop, outcome, detail, messages = 1) => of(stop).count(outcome, detail, messages, now()),
    times: (stop, workedMs, waitedMs, from) => of(stop).times(workedMs, waitedMs, from),
    gap: (stop, records) => of(stop).gap(records),
    breaker: (stop, openSince) => of(stop).breaker(openSince),
    async join(member) {
      members.add(member);
      tellAt = 0;
      arm();
      await until(Date.now() + JOIN_WITHIN_MS, flush());
    },
    leave(member) {
      if (members.delete(member)) tellAt = 0;
    },
    flush: (deadline) => (deadline === undefined ? flush() : until(deadline, flush())),
    async close(deadline = Date.now() + CLOSE_WITHIN_MS) {
      if (members.size > 0) tellAt = 0;
      members.clear();
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
