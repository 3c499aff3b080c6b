import { setImmediate as nextTurn } from "node:timers/promises";
import type { Batch } from "./bus.ts";
import { asError, LaneLost, TooLarge } from "./errors.ts";
import { keyOrder } from "./key-order.ts";
import { isPromise, type Maybe } from "./maybe.ts";
import { letterFor } from "./middleware/dead-letter.ts";
import type { Handler } from "./middleware.ts";
import { gather } from "./settlement.ts";
import { Visit, type Outcome, type VisitSetting } from "./visit.ts";

export interface HopOptions extends VisitSetting {
  readonly handler: Handler;
  /** Callbacks of one lane running at once. */
  readonly concurrency: number;
  /** Told of each visit once, when its outcome is durable. */
  readonly settled: (visit: Visit) => void;
  /** Told each time a dead letter can't be written; its lane waits until it can. */
  readonly stuck: (visit: Visit, why: Error) => void;
  /** Told of what can't be: a bus or middleware that broke its promise. */
  readonly failed: (error: Error) => void;
}

/**
 * One hop: a batch comes in; each record's outcome is found; a settlement goes out. The next batch is worked on while
 * the last one's settlement is under way. Work that was broken off is not settled: its record comes again.
 */
export function hop(options: HopOptions) {
  const lanes = new Map<string, ReturnType<typeof keyOrder>>();
  /** Records being worked on, and those with the ones being settled. */
  let working = 0;
  let open = 0;
  let wakeIdle: (() => void) | undefined;

  async function onBatch(batch: Batch): Promise<void> {
    const { records, signal } = batch;
    const over = () => signal.aborted || options.halt.aborted;
    const results = gather<Visit>(records.length, (visits) => void settle(batch, visits));
    const inOrder = laneOrder(records[0]!.lane);
    for (let index = 0; index < records.length && !over(); index++) {
      const visit = new Visit(options, records[index]!, index, signal);
      const room = inOrder(visit.record.key, () => (over() ? undefined : work(visit, results.add)));
      if (isPromise(room)) await room;
    }
    results.flush();
  }

  function work(visit: Visit, add: (visit: Visit) => boolean): Maybe<void> {
    working++;
    open++;
    visit.begin();
    const done = (outcome: Outcome) => {
      working--;
      visit.end(outcome);
      // A settlement leaves only in a turn of the event loop, which callbacks that never await would not give it.
      return add(visit) ? nextTurn() : undefined;
    };
    try {
      const outcome = options.handler(visit);
      return isPromise(outcome) ? outcome.then(done).catch(brokenOff) : done(outcome);
    } catch (error) {
      return brokenOff(error);
    }
  }

  async function settle(batch: Batch, visits: readonly Visit[]): Promise<void> {
    try {
      await batch.settle(visits, (index, why) =>
        instead(
          visits.find((visit) => visit.index === index)!,
          why,
        ),
      );
      visits.forEach(options.settled);
    } catch (error) {
      if (!(error instanceof LaneLost)) options.failed(asError(error));
    }
    closed(visits.length);
  }

  function instead(visit: Visit, why: Error) {
    const letter = visit.outcome.kind === "dead";
    if (letter) options.stuck(visit, why);
    else visit.outcome = { kind: "dead", error: why };
    return (visit.out = [
      letterFor(visit, (visit.outcome as { error: Error }).error, letter && why instanceof TooLarge),
    ]);
  }

  function brokenOff(error: unknown): void {
    working--;
    closed(1);
    if (!(error instanceof LaneLost)) options.failed(asError(error));
  }
  function closed(count: number): void {
    open -= count;
    if (open === 0) wakeIdle?.();
  }
  function laneOrder(lane: string) {
    const order = lanes.get(lane) ?? keyOrder(options.concurrency);
    lanes.set(lane, order);
    return order;
  }
  /** Resolves when nothing is being worked on or settled. */
  async function idle(): Promise<void> {
    while (open > 0) await new Promise<void>((resolve) => (wakeIdle = resolve));
  }
  return { onBatch, idle, working: () => working };
}
