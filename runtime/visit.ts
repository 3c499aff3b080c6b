import type { Logger } from "pino";
import type { Outgoing, Received } from "./bus.ts";
import { Dropped, Passed, type RouteAhead, type StopContext } from "./context.ts";
import { firstMet, writePayload, type Envelope, type Header } from "./envelope.ts";
import { RouteError } from "./errors.ts";
import { comesAgain, NOTHING_BEFORE, type Before } from "./put-off.ts";
import { checkRoute, reversed, type RouteRules } from "./route.ts";
import { lastStop } from "./visits.ts";

/** What became of a message at a stop. */
export type Outcome =
  | { readonly kind: "forward"; readonly payload: unknown }
  | { readonly kind: "pass" }
  | { readonly kind: "drop"; readonly reason: string }
  /** Put off until `at` (epoch ms), for so long as `tier` says ("10s"). */
  | { readonly kind: "later"; readonly at: number; readonly tier: string; readonly error: Error }
  | { readonly kind: "dead"; readonly error: Error };

/** What the visits of one stop have in common. */
export interface VisitSetting {
  /** The stop's topic. */
  readonly stop: string;
  readonly rules: RouteRules;
  readonly log: Logger;
  /** Aborts, with a LaneLost, when no new work should be begun: a backoff is given up, and the record comes again. */
  readonly halt: AbortSignal;
  /** null: trips are off, and messages carry no visits. */
  readonly trips: Trips | null;
}

export interface Trips {
  /** Names this process in the visits that messages carry: what its name ends with. */
  readonly instance: string;
  /** What is to be kept of a message that has just been read; null: it is not chosen. */
  sample(visit: Visit): Sample | null;
}

/** What is kept of a message whose trip is recorded, as it came to the stop. */
export interface Sample {
  readonly key: string | null;
  /** JSON texts; null: it is not kept. */
  readonly header: string;
  readonly payload: string | null;
}

/** One record at one stop, from its arrival until it is settled. */
export class Visit {
  readonly setting: VisitSetting;
  /** The record as it came first, and its index in its batch. */
  record: Received;
  readonly index: number;
  /** What was tried before it was put off. */
  readonly before: Before;
  /** Aborts, with a LaneLost, when the lane is no longer ours or the process has to end now. */
  readonly signal: AbortSignal;
  /** Known, as id, boarded, from and payload, once the envelope has been read. */
  envelope: Envelope = UNREAD;
  id = "";
  /** When the message first met metrobus, epoch ms. */
  boarded = 0;
  /** The stop that it comes from; "": none, it is raw or has just boarded. */
  from = "";
  /** What its header says of the stops that it has been at, and their names: see `visits.ts`. */
  carried: unknown = undefined;
  history: readonly string[] = NO_STOPS;
  /** null: its trip is not recorded, unless it fails. */
  sample: Sample | null = null;
  /** What the callback gets; a schema may replace it. */
  payload: unknown = undefined;
  attempt: number;
  /** The present attempt's, once the envelope has been read. */
  context!: Attempt;
  outcome: Outcome = NO_OUTCOME;
  /** The stop that it goes to next; undefined: it is at the end of its line, or dropped. */
  next: string | undefined;
  /** What is to be sent for it. */
  out: readonly Outgoing[] = [];
  /** Milliseconds from the record's timestamp until the work began, and from there until the callback was done or gave up. */
  waitedMs = 0;
  workedMs = 0;
  #began = 0;
  #isDone = false;
  readonly #timestamp: number;
  #open: (record: Received) => Envelope = () => UNREAD;

  constructor(setting: VisitSetting, record: Received, index: number, signal: AbortSignal) {
    this.setting = setting;
    const again = comesAgain(record);
    this.record = again?.record ?? record;
    this.before = again?.before ?? NOTHING_BEFORE;
    this.attempt = this.before.attempts + 1;
    this.#timestamp = record.timestamp;
    this.index = index;
    this.signal = signal;
  }

  begin(): void {
    this.waitedMs = Math.max(0, Date.now() - this.#timestamp);
    this.#began = performance.now();
  }

  /** The callback is done, or has given up; what is done with its result is no work of its. */
  worked(): void {
    this.#isDone = true;
    this.workedMs = performance.now() - this.#began;
  }

  read(open: (record: Received) => Envelope): void {
    this.#open = open;
    this.#openEnvelope();
    this.sample = this.setting.trips?.sample(this) ?? null;
  }

  /** Begins with the message as it came, whatever an attempt before did to its own copy. */
  newAttempt(): void {
    this.attempt++;
    this.#isDone = false;
    this.#openEnvelope();
  }

  #openEnvelope(): void {
    this.envelope = this.#open(this.record);
    const { header } = this.envelope;
    this.id = header?.id ?? firstMet(this.record);
    this.carried = header?.visits;
    this.history = header?.historical_route ?? NO_STOPS;
    this.from = this.history.at(-2) ?? lastStop(this.carried, this.history) ?? "";
    this.boarded = header?.boarded ?? this.record.timestamp;
    this.payload = this.envelope.payload;
    this.context = new Attempt(this);
  }

  /** Keeps what is told of the message; the rest, which may be large, is needed no more. */
  letGo(): void {
    const { topic, lane, position, timestamp, key } = this.record;
    const isFailed = this.outcome.kind === "dead" || this.outcome.kind === "later";
    this.record = { topic, lane, position, timestamp, key: isFailed ? key : null, value: null, headers: [] };
    this.out = [];
  }

  /** Time in which it was held back is waiting, not work. */
  heldFor(ms: number): void {
    this.waitedMs += ms;
    this.#began += ms;
  }

  /** What is to be sent is written: nothing of the payload is needed any more, and thousands may wait for their settlement. */
  end(outcome: Outcome): void {
    if (!this.#isDone) this.worked();
    this.outcome = outcome.kind === "forward" ? WRITTEN : outcome;
    this.envelope = UNREAD;
    this.payload = undefined;
    this.context = undefined as never;
  }
}

const WRITTEN: Outcome = { kind: "pass" };
const UNREAD: Envelope = { header: null, payload: undefined, field: "payload", rest: {} };
const NO_STOPS: readonly string[] = [];
const NO_OUTCOME: Outcome = { kind: "drop", reason: "" };

interface Fork {
  readonly payloadJson: string;
  /** Next stop last. */
  readonly stack: readonly string[];
}

/** One attempt of a callback: its context, and what it did to the route and forked, which is lost with it. */
export class Attempt implements StopContext {
  readonly attempt: number;
  readonly route: RouteAhead;
  /** The stops ahead, next stop last. */
  stack: readonly string[];
  readonly forks: Fork[] = [];
  /** What `drop` gave last; whether the callback returned it is another matter. */
  dropped: Dropped | undefined;
  readonly #visit: Visit;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;
  #log: Logger | undefined;

  constructor(visit: Visit) {
    this.#visit = visit;
    this.attempt = visit.attempt;
    this.stack = visit.envelope.header?.route ?? [];
    this.route = new Ahead(this);
  }

  get id(): string {
    return this.#visit.id;
  }

  get key(): Buffer | null {
    return this.#visit.record.key;
  }

  get header(): Readonly<Header> | null {
    return this.#visit.envelope.header;
  }

  get log(): Logger {
    return (this.#log ??= this.#visit.setting.log.child({ id: this.id }));
  }

  /** Made when it is asked for: most callbacks never do. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }

  drop(reason: string): Dropped {
    return (this.dropped = new Dropped(reason));
  }

  pass(): Passed {
    return new Passed();
  }

  fork(payload: NonNullable<unknown>, route?: readonly string[]): void {
    if (route) this.check(route);
    const stack = route ? reversed(route) : this.stack;
    if (stack.length === 0) {
      throw new RouteError("a fork has nowhere to go: no stop is ahead of this message, so give it a route");
    }
    this.forks.push({ payloadJson: writePayload(payload), stack });
  }

  /** Throws RouteError unless the message may take this route. */
  check(ahead: readonly string[]): void {
    checkRoute(ahead, this.header?.historical_route.length ?? 0, this.#visit.setting.rules);
  }
}

class Ahead implements RouteAhead {
  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get ahead(): readonly string[] {
    return reversed(this.#attempt.stack);
  }

  push(...topics: string[]): void {
    this.replace([...topics, ...this.ahead]);
  }

  replace(topics: readonly string[]): void {
    this.#attempt.check(topics);
    this.#attempt.stack = reversed(topics);
  }
}
