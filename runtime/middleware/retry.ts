import { backoffMs, pause } from "../backoff.ts";
import { asError, MetrobusError } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

export interface RetryOptions {
  /** How often a message is tried in all. */
  readonly attempts: number;
  /** The backoff is a random time below `baseMs` × 2^(failures − 1), at most `capMs` (full jitter). */
  readonly baseMs: number;
  readonly capMs: number;
  /** Whether trying again can help. */
  readonly isRetryable: (error: Error) => boolean;
}

/** What metrobus knows of its own errors; anything else may be a passing fault. */
export function isRetryable(error: Error): boolean {
  return error instanceof MetrobusError ? error.retryable : true;
}

/** Tries a failing callback again, in place: the messages behind it wait, so order is kept. */
export function retry(options: RetryOptions): Middleware {
  /** Of metrobus's own errors one's function is asked only where trying again can help at all. */
  const mayHelp = (error: Error) => isRetryable(error) && options.isRetryable(error);
  return (next) => {
    async function again(visit: Visit, thrown: unknown): Promise<Outcome> {
      for (let failure = thrown; ;) {
        const error = asError(failure);
        if (visit.attempt >= options.attempts || !mayHelp(error)) throw error;
        visit.setting.log.warn(
          { id: visit.id, attempt: visit.attempt, err: error },
          "the callback failed, it will be tried again",
        );
        await pause(backoffMs(visit.attempt, options.baseMs, options.capMs), visit.signal, visit.setting.halt);
        visit.attempt++;
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
