import { setImmediate as nextTurn } from "node:timers/promises";
import type { Batch } from "./bus.ts";
import { asError, LaneLost } from "./errors.ts";
import { keyOrder } from "./key-order.ts";
import { isPromise, type Maybe } from "./maybe.ts";
import type { Handler } from "./middleware.ts";
import type { PauseGate } from "./pause-gate.ts";
import { gather, settle, type Gathering, type Settling } from "./settlement.ts";
import { Visit, type Outcome, type VisitSetting } from "./visit.ts";

export interface HopOptions extends VisitSetting, Settling {
  readonly handler: Handler;
  /** Callbacks of one lane running at once. */
  readonly concurrency: number;
  readonly gate: PauseGate;
}

/** While a lane has so many bytes that are not written yet, it begins no more: a callback may make much of little. */
const MOST_UNWRITTEN = 4 * 1024 * 1024;

interface Lane {
  readonly inOrder: ReturnType<typeof keyOrder>;
  /** Records being worked on, waiting in a backoff, or being settled. */
  open: number;
  /** Records that it was given. */
  given: number;
  /** Bytes that were handed over, and are not written for sure; and behind which of its records all of that stands. */
  unwritten: number;
  handedUpTo: number;
  room: PromiseWithResolvers<void> | undefined;
}

/**
 * One hop: a batch comes in; each record's outcome is found; a settlement goes out. The next batch is worked on while
 * the last one's settlement is under way. Work that was broken off is not settled: its record comes again.
 */
export function hop(options: HopOptions) {
  const lanes = new Map<string, Lane>();
  /** By the signal that a lane's batches share: who gathers their results, the oldest batch first. */
  const gathering = new WeakMap<AbortSignal, Set<Gathering>>();
  let wakeIdle: (() => void) | undefined;

  async function onBatch(batch: Batch): Promise<void> {
    const { records, signal, settle: carryOut } = batch;
    const lane = laneOf(records[0]!.lane);
    const over = () => signal.aborted || options.halt.aborted;
    const first = lane.given;
    lane.given += records.length;
    const handOver = (visits: readonly Visit[], bytes: number, isLast: boolean) => {
      flushBefore(results, signal);
      if (isLast) gathering.get(signal)!.delete(results);
      const written = writing(lane, bytes);
      for (const { index } of visits) lane.handedUpTo = Math.max(lane.handedUpTo, first + index);
      void settle(carryOut, visits, options, written).then(() => {
        written();
        closed(lane, visits.length);
      });
    };
    const results = gather<Visit>(records.length, handOver);
    gathering.set(signal, (gathering.get(signal) ?? new Set()).add(results));
    for (let index = 0; index < records.length && !over(); index++) {
      const visit = new Visit(options, records[index]!, index, signal);
      const begin = (): Maybe<void> => {
        if (over()) return;
        const held = options.gate.pass(signal, options.halt);
        if (isPromise(held)) return held.then(begin);
        // What is unwritten may wait for a record before it, never for one behind.
        const canWait = lane.unwritten >= MOST_UNWRITTEN && first + index > lane.handedUpTo;
        return canWait ? roomIn(lane).then(begin) : work(visit, lane, results.add);
      };
      const room = lane.inOrder(visit.record.key, begin);
      if (isPromise(room)) await room;
    }
    results.flush();
  }

  /** Returns what is to be called once they are written, or will not be. */
  function writing(lane: Lane, bytes: number): () => void {
    let rest = bytes;
    lane.unwritten += bytes;
    return () => {
      lane.unwritten -= rest;
      rest = 0;
      lane.room?.resolve();
      lane.room = undefined;
    };
  }

  /** Resolves when some of what is unwritten has been written. */
  function roomIn(lane: Lane): Promise<void> {
    lane.room ??= Promise.withResolvers();
    return lane.room.promise;
  }

  /** A message of an older batch may be late, and one of its key in a newer batch right behind it: that must not overtake it. */
  function flushBefore(results: Gathering, signal: AbortSignal): void {
    for (const older of gathering.get(signal)!) {
      if (older === results) return;
      older.flush();
    }
  }

  function work(visit: Visit, lane: Lane, add: (visit: Visit) => boolean): Maybe<void> {
    lane.open++;
    visit.begin();
    const done = (outcome: Outcome) => {
      visit.end(outcome);
      // A settlement leaves only in a turn of the event loop, which callbacks that never await would not give it.
      return add(visit) ? nextTurn() : undefined;
    };
    try {
      const outcome = options.handler(visit);
      return isPromise(outcome) ? outcome.then(done).catch((error) => brokenOff(lane, error)) : done(outcome);
    } catch (error) {
      return brokenOff(lane, error);
    }
  }

  function brokenOff(lane: Lane, error: unknown): void {
    closed(lane, 1);
    if (!(error instanceof LaneLost)) options.failed(asError(error));
  }
  function closed(lane: Lane, count: number): void {
    lane.open -= count;
    if (lane.open === 0) wakeIdle?.();
  }
  function laneOf(name: string): Lane {
    const lane = lanes.get(name) ?? {
      inOrder: keyOrder(options.concurrency),
      open: 0,
      given: 0,
      unwritten: 0,
      handedUpTo: -1,
      room: undefined,
    };
    lanes.set(name, lane);
    return lane;
  }
  /** Whether something of the lane is being worked on or settled. */
  const busy = (lane: string): boolean => (lanes.get(lane)?.open ?? 0) > 0;
  /** Resolves when nothing is. */
  async function idle(): Promise<void> {
    while ([...lanes.keys()].some(busy)) await new Promise<void>((resolve) => (wakeIdle = resolve));
  }
  return { onBatch, idle, busy };
}
