import type { Logger } from "pino";
import { pause } from "../../backoff.ts";
import type { Batch, Instead, Outgoing, Received, Settled } from "../../bus.ts";
import { LaneLost, MalformedMessage, TooLarge } from "../../errors.ts";
import { letterOf } from "../../letter.ts";
import { comesAgain } from "../../put-off.ts";
import { comingBack, unpark } from "./parked.ts";

export interface Reading {
  /** The topic and the group whose records are parked. */
  readonly topic: string;
  readonly group: string;
  /** How long records of this tier are parked, ms. */
  readonly delay: number;
  readonly deadLetterTopic: string;
  readonly log: Logger;
  /** Aborts, with a LaneLost, when the subscription is to end: what is not due stays parked. */
  readonly ending: AbortSignal;
  /** Told why a dead letter can't be written, and (null) that it was. */
  stuck(batch: Batch, why: string | null): void;
}

interface Parked {
  /** As performance.now() has it, so a clock that is set meanwhile changes nothing. */
  readonly due: number;
  readonly out: Outgoing;
  /** Why it is a dead letter; null: it is delivered. */
  fault: Error | null;
}

/**
 * Waits until a batch's first record is due, delivers all that are due with it, and so on. All of a tier are parked for
 * the same time, so they are due in their order. What can't be delivered is a dead letter.
 */
export function deliver(reading: Reading): (batch: Batch) => Promise<void> {
  const { delay, ending } = reading;
  return async (batch) => {
    const untilThen = untilDue(delay);
    const parked = batch.records.map((record) => read(record, reading, untilThen));
    try {
      for (let from = 0; from < parked.length;) {
        for (let left; (left = parked[from]!.due - performance.now()) > 0;)
          await pause(Math.ceil(left), batch.signal, ending);
        const notDue = parked.findIndex(({ due }, at) => at > from && due > performance.now());
        const to = notDue < 0 ? parked.length : notDue;
        const done: Settled[] = parked.slice(from, to).map(({ out }, at) => ({ index: from + at, out: [out] }));
        await batch.settle(done, buriedInstead(batch, parked, reading));
        reading.stuck(batch, null);
        from = to;
      }
    } catch (error) {
      reading.stuck(batch, null);
      if (!(error instanceof LaneLost)) throw error;
    }
  };
}

/**
 * Epoch ms → when that is as performance.now() has it. Nothing is due later than a whole delay from when it was read:
 * where a clock says so it is wrong, and no lane waits for that.
 */
function untilDue(delay: number): (epochMs: number) => number {
  const [clock, now] = [Date.now(), performance.now()];
  return (epochMs) => now + Math.min(Math.max(epochMs - clock, 0), delay);
}

function read(record: Received, reading: Reading, untilThen: (epochMs: number) => number): Parked {
  const found = unpark(record);
  if (found) return { due: untilThen(found.due), out: comingBack(found.message, reading.group), fault: null };
  const fault = new MalformedMessage(
    `the record in "${record.topic}" was not put there by metrobus: nothing else may send to this topic`,
  );
  return { due: 0, out: letter(record, reading, fault), fault };
}

function buriedInstead(batch: Batch, parked: readonly Parked[], reading: Reading): Instead {
  return (index, why) => {
    const each = parked[index]!;
    const isStuck = each.fault !== null;
    if (isStuck) {
      reading.stuck(batch, why.message);
      reading.log.error({ err: why }, "a dead letter can't be written: what is parked behind it waits until it can");
    }
    each.fault ??= why;
    return [letter(batch.records[index]!, reading, each.fault, isStuck && why instanceof TooLarge)];
  };
}

/** Of the record as it came first, where that is known. */
function letter(record: Received, { topic, deadLetterTopic }: Reading, error: Error, bare = false): Outgoing {
  const parked = { ...record, ...unpark(record)?.message };
  const again = comesAgain(parked);
  const failure = { stop: topic, error, attempts: again?.before.attempts ?? 0 };
  return letterOf(again?.record ?? parked, failure, deadLetterTopic, bare);
}
