import { asError } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";
import { circuit, type CircuitOptions } from "./circuit.ts";

export interface Breaker extends Pick<ReturnType<typeof circuit>, "openSince" | "problem"> {
  readonly middleware: Middleware;
}

/**
 * Holds a stop's messages while the world that its callback needs is down, in the place of making them all dead letters.
 * It sees what failed after all retries. Once nearly every message does, those that failed and those that come wait; one
 * at a time is tried, with backoff, and when one succeeds all go on. All lanes of a stop share it.
 */
export function breaker(options: CircuitOptions): Breaker {
  const { succeeded, failed, turn, held, openSince, problem } = circuit(options);

  const middleware: Middleware = (next) => {
    async function hold(visit: Visit, wasTried: boolean): Promise<Outcome> {
      held();
      for (let isTried = wasTried; ; isTried = true) {
        const since = performance.now();
        const isProbe = await turn(visit);
        visit.heldFor(performance.now() - since);
        if (isTried) visit.newAttempt();
        try {
          const outcome = await next(visit);
          succeeded(isProbe);
          return outcome;
        } catch (error) {
          failed(visit, asError(error), isProbe);
        }
      }
    }

    function passed(outcome: Outcome): Outcome {
      succeeded(false);
      return outcome;
    }
    function missed(visit: Visit, error: unknown): Promise<Outcome> {
      failed(visit, asError(error), false);
      return hold(visit, true);
    }

    return (visit) => {
      if (openSince() > 0) return hold(visit, false);
      try {
        const outcome = next(visit);
        return isPromise(outcome) ? outcome.then(passed, (error: unknown) => missed(visit, error)) : passed(outcome);
      } catch (error) {
        return missed(visit, error);
      }
    };
  };
  return { middleware, openSince, problem };
}
