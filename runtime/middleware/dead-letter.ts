import type { Outgoing } from "../bus.ts";
import { factsOf } from "../error-facts.ts";
import { asError, LaneLost, MetrobusError } from "../errors.ts";
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

/** The short text under which an error is counted. */
export function reasonOf(error: Error): string {
  if (error instanceof MetrobusError) return error.reason;
  const { code, name } = factsOf(error);
  return code || name;
}

/**
 * The dead letter of a record: its bytes, key and headers as they came, and in added headers, all named
 * `dead-letter.…`, what happened. A `bare` one goes without message and stack, to stay within a topic's limit.
 */
export function letterFor(visit: Visit, error: Error, bare = false): Outgoing {
  const { topic, lane, position, key, value, headers } = visit.record;
  const { name, message, stack } = factsOf(error);
  const facts = {
    stop: visit.setting.stop,
    topic,
    partition: lane,
    offset: position,
    reason: reasonOf(error),
    error: name,
    message: bare ? "" : message,
    stack: bare ? "" : stack,
    attempts: String(visit.attempt),
    time: new Date().toISOString(),
  };
  const added = Object.entries(facts).map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)] as const);
  return { topic: visit.setting.rules.deadLetterTopic, key, value, headers: [...headers, ...added] };
}
