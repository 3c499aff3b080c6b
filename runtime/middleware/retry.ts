import { backoffMs, pause } from "../backoff.ts";
import { asError } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

export interface RetryOptions {
  /** How often a message is tried before it fails. */
  readonly attempts: number;
  /** The backoff is a random time below `baseMs` × 2^(failures − 1), at most `capMs` (full jitter). */
  readonly baseMs: number;
  readonly capMs: number;
  /** Whether trying again can help. */
  readonly isRetryable: (error: Error) => boolean;
}

/** Tries a failing callback again, in place: the messages behind it wait, so order is kept. */
export function retry(options: RetryOptions): Middleware {
  return (next) => {
    async function again(visit: Visit, thrown: unknown): Promise<Outcome> {
      // Attempts are numbered on where a message is tried anew; how often it may fail here is counted anew.
      for (let failure = thrown, failures = 1; ; failures++) {
        const error = asError(failure);
        if (failures >= options.attempts || !options.isRetryable(error)) throw error;
        visit.setting.log.warn(
          { id: visit.id, attempt: visit.attempt, err: error },
          "the callback failed, it will be tried again",
        );
        await pause(backoffMs(failures, options.baseMs, options.capMs), visit.signal, visit.setting.halt);
        visit.newAttempt();
        try {
          return await next(visit);
        } catch (anew) {
          failure = anew;
        }
      }
    }
    return (visit) => {
      try {
        const outcome = next(visit);
        return isPromise(outcome) ? outcome.catch((error: unknown) => again(visit, error)) : outcome;
      } catch (error) {
        return again(visit, error);
      }
    };
  };
}
