import type { Outgoing } from "../bus.ts";
import { asError, LaneLost, MetrobusError } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

const MESSAGE_BYTES = 1_024;
const STACK_BYTES = 4_096;

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
  if (thrown instanceof LaneLost) throw thrown;
  const error = asError(thrown);
  visit.out = [letterFor(visit, error)];
  return { kind: "dead", error };
}

/** The short text under which an error is counted. */
export function reasonOf(error: Error): string {
  if (error instanceof MetrobusError) return error.reason;
  return (error as NodeJS.ErrnoException).code ?? error.name;
}

/**
 * The dead letter of a record: its bytes, key and headers as they came, and in added headers, all named
 * `dead-letter.…`, what happened. A `bare` one goes without message and stack, to stay within a topic's limit.
 */
export function letterFor(visit: Visit, error: Error, bare = false): Outgoing {
  const { topic, lane, position, key, value, headers } = visit.record;
  const facts = {
    stop: visit.setting.stop,
    topic,
    partition: lane,
    offset: position,
    reason: cut(reasonOf(error), 256),
    error: cut(error.name, 256),
    message: bare ? "" : cut(error.message, MESSAGE_BYTES),
    stack: bare ? "" : cut(error.stack ?? "", STACK_BYTES),
    attempts: String(visit.attempt),
    time: new Date().toISOString(),
  };
  const added = Object.entries(facts).map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)] as const);
  return { topic: visit.setting.rules.deadLetterTopic, key, value, headers: [...headers, ...added] };
}

/** At most so many bytes of UTF-8, without half a character at the end. */
function cut(text: string, bytes: number): string {
  if (text.length <= bytes / 4) return text;
  const whole = Buffer.from(text);
  if (whole.length <= bytes) return text;
  let end = bytes;
  while ((whole[end]! & 0xc0) === 0x80) end--;
  return whole.toString("utf8", 0, end);
}
