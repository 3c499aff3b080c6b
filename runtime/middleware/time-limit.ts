import { TimeLimitExceeded } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

/**
 * Fails an attempt that takes longer, and aborts its signal: a callback that does not listen runs on, and its result is
 * thrown away. A lost lane ends the attempt the same way; unless it goes on, since what comes of it is kept for whoever has
 * the lane now: then its signal aborts only when the process has to end.
 */
export function timeLimit(limitMs: number, withoutLane: "ends" | "goes on"): Middleware {
  return (next) => (visit) => {
    const outcome = next(visit);
    return isPromise(outcome) ? limited(outcome, visit, limitMs, withoutLane) : outcome;
  };
}

function limited(
  outcome: Promise<Outcome>,
  visit: Visit,
  limitMs: number,
  withoutLane: "ends" | "goes on",
): Promise<Outcome> {
  const { context, signal, setting } = visit;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      finish();
      context.abort(error);
      reject(error);
    };
    const lost = () => {
      const reason = signal.reason as Error;
      if (withoutLane === "ends") fail(reason);
      else if (setting.halt.aborted) context.abort(reason);
    };
    const timer = setTimeout(() => fail(new TimeLimitExceeded(limitMs)), limitMs);
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", lost);
    };
    signal.addEventListener("abort", lost);
    outcome.then(resolve, reject).finally(finish);
    if (signal.aborted) lost();
  });
}
