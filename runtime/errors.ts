import { isProxy } from "node:util/types";

/**
 * Every error that metrobus itself raises. Each quotes the value, says why, and names the remedy; `retryable` says
 * whether trying the same thing again can help, and `reason` is the short text under which it is counted.
 */
export class MetrobusError extends Error {
  readonly retryable: boolean;
  readonly reason: string;

  constructor(message: string, options: { retryable?: boolean; reason?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.retryable = options.retryable ?? false;
    this.reason = options.reason ?? this.name;
  }
}

/** The configuration can't be used. `faults` holds every fault found, not only the first. */
export class ConfigError extends MetrobusError {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.length === 1 ? faults[0]! : `${faults.length} settings are wrong:\n- ${faults.join("\n- ")}`, {
      reason: "configuration",
    });
    this.faults = faults;
  }
}

/** The record's bytes are no message: not UTF-8, not JSON, no header, no route, no payload. */
export class MalformedMessage extends MetrobusError {
  constructor(message: string, cause?: unknown) {
    super(message, { reason: "malformed", cause });
  }
}

/** A batch of records, as one producer wrote it, can't be read: it unpacks to too much, or is not what its checksum says. */
export class UnreadableBatch extends MetrobusError {
  constructor(topic: string, partition: number, first: string, last: string, why: string) {
    super(
      `records ${first} to ${last} of partition ${partition} of topic "${topic}" are one batch that can't be read: ${why}. The dead letter's value is the batch as Kafka has it: have whoever wrote it send its records again, and discard the letter`,
      { reason: "unreadable batch" },
    );
  }
}

/** The route can't be followed: a bad topic name, too many hops, or a route to the dead-letter topic. */
export class RouteError extends MetrobusError {
  constructor(message: string) {
    super(message, { reason: "bad route" });
  }
}

/** The payload does not fit the stop's schema; the message is the validator's words. */
export class SchemaError extends MetrobusError {
  constructor(message: string) {
    super(message, { reason: "schema" });
  }
}

/** The callback's result can't be written as a message (a function, a BigInt, a circle). */
export class UnusableResult extends MetrobusError {
  constructor(message: string, cause?: unknown) {
    super(message, { reason: "unusable result", cause });
  }
}

/** An attempt took longer than the stop's time limit. */
export class TimeLimitExceeded extends MetrobusError {
  constructor(milliseconds: number) {
    super(
      `the callback took longer than its time limit of ${milliseconds} ms: make it faster, let it end when context.signal aborts, or raise METROBUS_TIME_LIMIT`,
      { reason: "time limit", retryable: true },
    );
  }
}

/** The bus does not know the topic. */
export class UnknownTopic extends MetrobusError {
  readonly topic: string;

  constructor(topic: string) {
    super(
      `topic "${topic}" does not exist: create it, correct the route, or start the stop that owns it with METROBUS_CREATE_TOPICS=true`,
      { reason: `unknown topic ${topic}` },
    );
    this.topic = topic;
  }
}

/** The record is larger than its topic takes. */
export class TooLarge extends MetrobusError {
  constructor(topic: string, bytes: number, limit: number) {
    super(
      `the record of ${bytes} bytes is larger than the ${limit} bytes that topic "${topic}" takes: raise the topic's max.message.bytes, or send a reference to the data instead`,
      { reason: "too large" },
    );
  }
}

/** A server that metrobus needs can't be reached or does not answer. */
export class Unavailable extends MetrobusError {
  constructor(message: string, cause?: unknown) {
    super(message, { reason: "unavailable", retryable: true, cause });
  }
}

/** What `once` keeps outcomes in can't be reached. No message can go on without it, so the breaker opens at once. */
export class OnceStoreUnavailable extends Unavailable {
  constructor(cause: unknown) {
    super(`what came of messages can't be kept, as the stop's option once wants it: ${asError(cause).message}`, cause);
  }
}

/** With `once.onExpired: "dead"`: a process ended, or hung, while it worked on the message, and what it did is not known. */
export class OutcomeUnknown extends MetrobusError {
  constructor(id: string) {
    super(
      `work on message ${id} was begun before, and did not end: look whether its effect is there, and replay or discard the letter`,
      { reason: "outcome unknown" },
    );
  }
}

/** The lane is no longer ours (a rebalance, or the stop is ending): what was not settled comes again elsewhere. */
export class LaneLost extends MetrobusError {
  /** Of a settlement that was broken off: the indexes that the position had passed already. They do not come again. */
  readonly passed: ReadonlySet<number>;

  readonly #lane: string;
  readonly #why: string;

  constructor(lane: string, why: string, passed: ReadonlySet<number> = new Set()) {
    super(`lane ${lane} is no longer ours: ${why}`, { reason: "lane lost" });
    this.passed = passed;
    [this.#lane, this.#why] = [lane, why];
  }

  /** The same of a settlement, which had these indexes. */
  of(done: readonly { readonly index: number }[], hasPassed: (index: number) => boolean): LaneLost {
    return new LaneLost(this.#lane, this.#why, new Set(done.map(({ index }) => index).filter(hasPassed)));
  }
}

/** Whatever was thrown, as an error. Never throws. */
export function asError(thrown: unknown): Error {
  return !isProxy(thrown) && thrown instanceof Error
    ? thrown
    : new Error(`a value that is no Error was thrown: ${inWords(thrown)}`);
}

function inWords(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return `a ${typeof thrown} that can't be shown as text`;
  }
}
