import type { Outgoing } from "../bus.ts";
import { asError, LaneLost } from "../errors.ts";
import { letterOf } from "../letter.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

/** Whatever fails becomes a dead letter; only the loss of the lane passes through, since the record then comes again. */
export const deadLetter: Middleware = (next) => (visit) => {
  try {
    const outcome = next(visit);
    return isPromise(outcome) ? outcome.catch((error: unknown) => bury(visit, error)) : outcome;
  } catch (error) {
    return bury(visit, error);
  }
};

function bury(visit: Visit, thrown: unknown): Outcome {
  const error = asError(thrown);
  if (error instanceof LaneLost && (visit.signal.aborted || visit.setting.halt.aborted)) throw error;
  visit.out = [letterFor(visit, error)];
  return { kind: "dead", error };
}

export function letterFor(visit: Visit, error: Error, bare = false): Outgoing {
  const { record, attempt: attempts, setting } = visit;
  return letterOf(record, { stop: setting.stop, error, attempts }, setting.rules.deadLetterTopic, bare);
}
