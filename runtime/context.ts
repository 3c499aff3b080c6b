/**
 * The words of metrobus.
 *
 * - stop: a microservice; a topic and a callback.
 * - route: the topics that a message still has to visit, in its own header; a stack on the wire, next stop last.
 * - busdriver: a stop that reads raw messages and gives each its route.
 * - header: what the runtime reads of a message; payload: what the callback reads of it.
 * - drop: the end of a message that a callback decided, with a reason.
 * - dead letter: a message that could not be handled, kept as it came with the reason in its record headers.
 */
import type { Logger } from "pino";
import type { Header } from "./envelope.ts";
import type { Maybe } from "./maybe.ts";

/** What `context.drop` returns: the message ends here, for this reason. */
export class Dropped {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** What `context.pass` returns: the payload goes on byte for byte. */
export class Passed {
  /** Keeps any other empty object from counting as one of these in the type checker's eyes. */
  readonly passed = true;
}

/** What `routed` returns: a payload and the stops it is to visit. */
export class Routed {
  readonly payload: unknown;
  /** In travel order. */
  readonly route: readonly string[];

  constructor(payload: unknown, route: readonly string[]) {
    this.payload = payload;
    this.route = route;
  }
}

/**
 * Gives a payload its route, in travel order: `routed(message, ["AddEmail", "WhiteList", "Log"])`. Returned by a
 * callback it sets the message's route, or replaces what is left of it. The runtime checks it (names, hops).
 */
export function routed(payload: NonNullable<unknown>, route: readonly string[]): Routed {
  return new Routed(payload, route);
}

/** The rest of a message's route, as this attempt of the callback sees and changes it. */
export interface RouteAhead {
  /** The stops still to come, in travel order; empty at the end of the line. */
  readonly ahead: readonly string[];
  /** Puts stops in front of those ahead: the message visits them next, in the order given. Throws RouteError. */
  push(...topics: string[]): void;
  /** Sets the stops still to come, in travel order. Throws RouteError. */
  replace(topics: readonly string[]): void;
}

/** What a callback is told about its message, and may ask for. What it did to the route or forked counts only if this attempt succeeds. */
export interface StopContext {
  /** The message's id: the same at every stop and on every redelivery. */
  readonly id: string;
  readonly key: Buffer | null;
  /** The header as it came; null for a raw message. */
  readonly header: Readonly<Header> | null;
  /** 1, 2, 3 … */
  readonly attempt: number;
  /** Aborts when the time limit has passed, the partition was lost, or the process has to end. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly route: RouteAhead;
  /** Return it to end the message here. Use few different reasons: they are counted. */
  drop(reason: string): Dropped;
  /** Return it to forward the payload's own bytes, unchanged and not serialised again. */
  pass(): Passed;
  /**
   * Sends a message of its own besides this one's: id `<id>.<n>`, same key and record headers, on `route` (travel
   * order) or else on what is ahead of this message. Throws RouteError, UnusableResult.
   */
  fork(payload: NonNullable<unknown>, route?: readonly string[]): void;
}

/**
 * What a callback may return: the payload to forward (anything that JSON can hold but null), or null to drop the message.
 * Nothing with a `then`: a promise of nothing would pass for an object.
 */
export type StopResult = (object & { readonly then?: never }) | string | number | boolean | null;

/** A stop's callback, sync or async. It throws to fail: the message is tried again, and then a dead letter. */
export type StopCallback<In = never> = (payload: In, context: StopContext) => Maybe<StopResult>;
