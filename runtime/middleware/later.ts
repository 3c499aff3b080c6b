import { durationText } from "../duration.ts";
import { asError } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import { putOff } from "../put-off.ts";
import type { Outcome, Visit } from "../visit.ts";

export interface LaterOptions {
  /** How long a message is put off the first time, the second time and so on, ms. */
  readonly delays: readonly number[];
  /** It does not come again later than this after it was put off first, ms. */
  readonly withinMs: number;
  /** Whether trying again can help. */
  readonly isRetryable: (error: Error) => boolean;
}

/** Puts off a message that fails: it comes again, as it came, and those behind it do not wait. What can't be put off fails. */
export function later({ delays, withinMs, isRetryable }: LaterOptions): Middleware {
  function putOffOrFail(visit: Visit, thrown: unknown): Outcome {
    const error = asError(thrown);
    const { tiers, since } = visit.before;
    const delay = delays[tiers];
    const now = Date.now();
    const first = since || now;
    if (delay === undefined || now + delay > first + withinMs || !isRetryable(error)) throw error;
    const at = now + delay;
    visit.out = [putOff(visit.record, { attempts: visit.attempt, tiers: tiers + 1, since: first }, at)];
    return { kind: "later", at, tier: durationText(delay), error };
  }
  return (next) => (visit) => {
    try {
      const outcome = next(visit);
      return isPromise(outcome) ? outcome.catch((error: unknown) => putOffOrFail(visit, error)) : outcome;
    } catch (error) {
      return putOffOrFail(visit, error);
    }
  };
}
