import { isUtf8 } from "node:buffer";
import { until } from "./backoff.ts";
import { factsOf } from "./error-facts.ts";
import { firstMet } from "./envelope.ts";
import { asError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { MAX_DETAIL_LENGTH, type OutcomeKind } from "./stats-store.ts";
import { halvingsAt, isKept, nextShare, type TripShare } from "./trip-share.ts";
import { hasFailed, type TripNote, type TripReport, type TripStore, type TripVisit } from "./trip-store.ts";
import { readVisits } from "./visits.ts";
import type { Sample, Trips, Visit } from "./visit.ts";

/** Writes down what became of messages, for people to look at. Costs little, keeps no message waiting, and never fails. */
export interface TripRecorder extends Trips {
  /** A message has been settled; `detail`: the next stop, or the reason. */
  settled(visit: Visit, outcome: OutcomeKind, detail: string): void;
  /** From now on it hears which messages are chosen: when this resolves, unless the store is away. Never rejects. */
  begin(): Promise<void>;
  /** Writes what is left, within two seconds or until `deadline` (epoch ms). Never rejects. */
  close(deadline?: number): Promise<void>;
}

export interface TripRecorderOptions {
  /** This process's name, with letters and digits at its end that tell it from others: `host-7-96a446a0`; messages carry the last four. */
  readonly instance: string;
  readonly log: Pick<Logger, "warn" | "info">;
  /** A payload as it is to be kept, as JSON; null: payloads are not kept. */
  readonly payload: ((payload: unknown) => string) | null;
  /** Of about so many messages a second trips are recorded. */
  readonly perSecond: number;
  /** Default: 500. */
  readonly everyMs?: number;
}

const BEGIN_WITHIN_MS = 2_000;
const CLOSE_WITHIN_MS = 2_000;
/** At a time, and of those that fail, whose share is not ours to choose. */
const MOST_NOTES = 5_000;
/**
 * The share is another one only a while after the load is. Until then a process makes it smaller for itself: of each stop it takes so many
 * at once, or as they come so many between two writes, and each time that they are used up it halves the share.
 */
const MOST_SAMPLES = 500;
const MORE_SAMPLES = 25;
const MOST_FAILED = 20;
/** Characters of an id, and bytes of a key and of a message whose header and payload are kept; longer ones are not. */
const MOST_ID = 256;
const MOST_KEY = 1_024;
const MOST_BYTES = 16_384;
const MOST_STOPS = 1_000;

export function tripRecorder(store: TripStore, options: TripRecorderOptions): TripRecorder {
  const { instance, log, payload, perSecond, everyMs = 500 } = options;
  let shares: readonly TripShare[] = [];
  let notes: TripNote[] = [];
  let failed = 0;
  let boarded = 0;
  /** By stop, how many samples it may take yet; a stop that is not in here, all. */
  const room = new Map<string, number>();
  let leastHalvings = 0;
  let notKept = new Map<string, number>();
  let since = performance.now();
  let down = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let last: Promise<void> = Promise.resolve();

  function collect(): TripReport {
    const coversMs = performance.now() - since;
    const report = { notes, boarded, coversMs, notKept: Object.fromEntries(notKept) };
    if (Math.min(...room.values()) > MOST_SAMPLES / 2) leastHalvings = Math.max(0, leastHalvings - 1);
    for (const [stop, left] of room) {
      if (left + MORE_SAMPLES < MOST_SAMPLES) room.set(stop, left + MORE_SAMPLES);
      else room.delete(stop);
    }
    [notes, failed, boarded, since] = [[], 0, 0, performance.now()];
    notKept = new Map();
    return report;
  }

  /** What can't be written is lost: it is a sample. */
  async function write(): Promise<void> {
    try {
      const orders = await store.record(collect());
      shares = orders.shares;
      const share = nextShare({ boarded: orders.boardedPerSecond, wanted: perSecond }, shares, Date.now());
      if (share) await store.announce(share, shares.at(-1));
      if (share && shares.length === 0) shares = [share];
      if (down) log.info("trips are recorded again");
      down = false;
    } catch (error) {
      if (!down) log.warn(`trips can't be recorded, and are not until they can: ${asError(error).message}`);
      down = true;
    }
  }

  const flush = () => (last = last.then(write));

  function arm(): void {
    if (!closed) timer = setTimeout(() => void flush().then(arm), everyMs).unref();
  }

  function tooMany(stop: string): void {
    if (notKept.size < MOST_STOPS || notKept.has(stop)) notKept.set(stop, (notKept.get(stop) ?? 0) + 1);
  }

  return {
    instance: instance.slice(-4),
    sample(visit) {
      if (visit.from === "" && visit.before.tiers === 0) boarded++;
      const halvings = Math.max(halvingsAt(visit.boarded, shares), leastHalvings);
      if (!isKept(visit.id, halvings)) return null;
      const { stop } = visit.setting;
      const left = (room.get(stop) ?? MOST_SAMPLES) - 1;
      room.set(stop, left || MORE_SAMPLES);
      if (left === 0) leastHalvings = halvings + 1;
      return sampleOf(visit, payload);
    },
    settled(visit, outcome, detail) {
      const isFailed = outcome === "dead" || outcome === "later";
      if (!visit.sample && !isFailed) return;
      const isTooMuch = visit.id.length > MOST_ID || (isFailed ? failed >= MOST_FAILED : notes.length >= MOST_NOTES);
      if (isTooMuch) return isFailed ? tooMany(visit.setting.stop) : undefined;
      if (isFailed) failed++;
      notes.push(noteOf(visit, instance, outcome, detail));
    },
    async begin() {
      if (!timer) arm();
      await until(Date.now() + BEGIN_WITHIN_MS, flush());
    },
    async close(deadline = Date.now() + CLOSE_WITHIN_MS) {
      if (!timer) return;
      closed = true;
      clearTimeout(timer);
      await until(deadline, flush());
    },
  };
}

function sampleOf({ record, envelope, payload: found }: Visit, payload: TripRecorderOptions["payload"]): Sample {
  const { visits: _, ...header } = envelope.header ?? { visits: null };
  const isLong = (record.value?.length ?? 0) > MOST_BYTES;
  const text = (write: () => string) => {
    try {
      return write();
    } catch {
      // Nested too deeply: a payload may be anything.
      return "";
    }
  };
  return {
    key: textOf(record.key),
    header: isLong || !envelope.header ? "" : text(() => JSON.stringify(header)),
    payload: isLong || !payload ? null : text(() => payload(found)),
  };
}

function noteOf(visit: Visit, instance: string, outcome: OutcomeKind, detail: string): TripNote {
  const { record, sample, from, waitedMs, workedMs, attempt, setting, carried, history } = visit;
  const boarded = visit.boarded || record.timestamp;
  const { kind } = visit.outcome;
  const { name, message } = factsOf(kind === "dead" || kind === "later" ? visit.outcome.error : NO_ERROR);
  const own: TripVisit = {
    stop: setting.stop,
    from,
    instance,
    partition: record.lane,
    offset: record.position,
    at: record.timestamp,
    waitedMs,
    workedMs,
    attempt,
    outcome,
    detail: detail.slice(0, MAX_DETAIL_LENGTH).toWellFormed(),
    ...(hasFailed({ outcome }) && { error: { name, message } }),
    ...(sample?.payload && { payload: sample.payload }),
  };
  return {
    id: visit.id || firstMet(record),
    key: sample ? sample.key : textOf(record.key),
    boarded,
    visits: sample ? [own] : [...readVisits({ carried, history, boarded }, setting.stop, record.timestamp), own],
    ...(sample?.header && { header: sample.header }),
  };
}

const NO_ERROR = new Error();

/** null: it is none. */
const textOf = (key: Buffer | null): string | null =>
  key && isUtf8(key) && key.length <= MOST_KEY ? key.toString() : null;
