import type { Outgoing, Received } from "./bus.ts";
import { factsOf } from "./error-facts.ts";
import { MetrobusError } from "./errors.ts";

/** Who could not handle a record, why, and after how many attempts. */
export interface Failure {
  /** The stop's topic. */
  readonly stop: string;
  readonly error: Error;
  readonly attempts: number;
}

/** The short text under which an error is counted. */
export function reasonOf(error: Error): string {
  if (error instanceof MetrobusError) return error.reason;
  const { code, name } = factsOf(error);
  return code || name;
}

/**
 * The dead letter of a record, for the topic `to`: its bytes, key and headers as they came, and in added headers, all
 * named `dead-letter.…`, what happened. A `bare` one goes without message and stack, to stay within a topic's limit.
 */
export function letterOf(record: Received, { stop, error, attempts }: Failure, to: string, bare = false): Outgoing {
  const { topic, lane, position, key, value, headers } = record;
  const { name, message, stack } = factsOf(error);
  const facts = {
    stop,
    topic,
    partition: lane,
    offset: position,
    reason: reasonOf(error),
    error: name,
    message: bare ? "" : message,
    stack: bare ? "" : stack,
    attempts: String(attempts),
    time: new Date().toISOString(),
  };
  const added = Object.entries(facts).map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)] as const);
  return { topic: to, key, value, headers: [...headers, ...added] };
}
