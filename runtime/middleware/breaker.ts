import { factsOf } from "../error-facts.ts";
import { asError, MetrobusError, OnceStoreUnavailable } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

export interface BreakerOptions {
  /** A probe comes after half to all of `baseMs` × 2^(probes that failed), at most `capMs`. */
  readonly baseMs: number;
  readonly capMs: number;
  /** Whether trying again can help: else it is the message's fault, and not the world's. */
  readonly isRetryable: (error: Error) => boolean;
  readonly log: Logger;
  /** Told when it opens (epoch ms) and closes (0). */
  readonly changed: (openSince: number) => void;
}

export interface Breaker {
  readonly middleware: Middleware;
  /** Epoch ms; 0: it is closed. */
  openSince(): number;
  /** Why messages are held, in words; null: they are not. */
  problem(): string | null;
}

/** It opens when so many of the last ten messages have failed; the one that opens it is held, those before it were not. */
const OPENS_AT = 9;
const LAST_TEN = 0b11_1111_1111;

interface Open {
  readonly since: number;
  error: Error;
  failedProbes: number;
  probing: boolean;
  /** By `performance.now()`. */
  nextProbe: number;
  held: number;
}

/**
 * Holds a stop's messages while the world that its callback needs is down, in the place of making them all dead letters.
 * It sees what failed after all retries. Once nearly every message does, those that failed and those that come wait; one
 * at a time is tried, with backoff, and when one succeeds all go on. All lanes of a stop share it.
 */
export function breaker({ baseMs, capMs, isRetryable, log, changed }: BreakerOptions): Breaker {
  /** The newest in the lowest bit; 1: it failed. What it was when the breaker opened counts on: a relapse opens it at once. */
  let recent = 0;
  let open: Open | null = null;
  let timer: NodeJS.Timeout | undefined;
  /** In the order they came; told whether they are the probe. */
  const waiting = new Set<(isProbe: boolean) => void>();

  function remember(failed: 0 | 1): void {
    recent = ((recent << 1) | failed) & LAST_TEN;
  }

  /** Throws the error, unless its message is to be held. */
  function hold(error: Error, wasProbe: boolean): void {
    if (!isRetryable(error)) {
      // What the callback says is the message's fault it has found out; an error of metrobus's own says nothing of the world.
      if (!(error instanceof MetrobusError)) remember(0);
      throw error;
    }
    remember(1);
    const isOutage = ones(recent) >= OPENS_AT || error instanceof OnceStoreUnavailable;
    if (!open && !isOutage) throw error;
    open ??= opened(error);
    open.error = error;
    if (wasProbe) open.nextProbe = performance.now() + delay(++open.failedProbes);
  }

  function opened(error: Error): Open {
    const since = Date.now();
    log.error(
      { err: error },
      "nearly every message fails: the breaker is open. Messages are held, and one is tried now and then until one succeeds",
    );
    changed(since);
    return { since, error, failedProbes: 0, probing: false, nextProbe: performance.now() + delay(0), held: 0 };
  }

  function delay(failures: number): number {
    return Math.min(capMs, baseMs * 2 ** failures) * (0.5 + Math.random() / 2);
  }

  function close(): void {
    log.info({ ms: Date.now() - open!.since, held: open!.held }, "a message succeeded: the breaker is closed");
    open = null;
    changed(0);
    for (const go of waiting) go(false);
  }

  /** The first of those who wait is the next probe. */
  function arm(): void {
    clearTimeout(timer);
    if (!open || open.probing || waiting.size === 0) return;
    timer = setTimeout(() => {
      open!.probing = true;
      const [first] = waiting;
      first!(true);
    }, untilProbe(open));
  }

  /** Resolves with true for the probe, with false once the breaker is closed. */
  function turn({ signal, setting }: Visit): Promise<boolean> {
    const over = AbortSignal.any([signal, setting.halt]);
    return new Promise((resolve, reject) => {
      const go = (isProbe: boolean) => {
        waiting.delete(go);
        over.removeEventListener("abort", lost);
        resolve(isProbe);
      };
      const lost = () => {
        waiting.delete(go);
        arm();
        reject(over.reason as Error);
      };
      if (over.aborted) return lost();
      if (!open) return resolve(false);
      over.addEventListener("abort", lost);
      waiting.add(go);
      arm();
    });
  }

  const middleware: Middleware = (next) => {
    function passed(outcome: Outcome): Outcome {
      remember(0);
      return outcome;
    }
    function failed(visit: Visit, thrown: unknown): Promise<Outcome> {
      hold(asError(thrown), false);
      return held(visit, true);
    }

    async function held(visit: Visit, wasTried: boolean): Promise<Outcome> {
      open!.held++;
      for (let isTried = wasTried; ; isTried = true) {
        const since = performance.now();
        const isProbe = await turn(visit);
        visit.heldFor(performance.now() - since);
        if (isTried) visit.newAttempt();
        try {
          const outcome = passed(await next(visit));
          if (isProbe) close();
          return outcome;
        } catch (thrown) {
          const error = asError(thrown);
          if (isProbe) open!.probing = false;
          hold(error, isProbe);
          if (isProbe) log.debug({ id: visit.id, err: error }, "the breaker's probe failed");
        } finally {
          arm();
        }
      }
    }

    return (visit) => {
      if (open) return held(visit, false);
      try {
        const outcome = next(visit);
        return isPromise(outcome) ? outcome.then(passed, (error: unknown) => failed(visit, error)) : passed(outcome);
      } catch (error) {
        return failed(visit, error);
      }
    };
  };

  return {
    middleware,
    openSince: () => open?.since ?? 0,
    problem() {
      if (!open) return null;
      const next = open.probing ? "a probe is under way" : `the next probe in ${Math.ceil(untilProbe(open) / 1_000)} s`;
      return `the breaker is open since ${new Date(open.since).toISOString()}: ${factsOf(open.error).message}; ${next}`;
    },
  };
}

function untilProbe({ nextProbe }: Open): number {
  return Math.max(0, nextProbe - performance.now());
}

function ones(bits: number): number {
  return bits === 0 ? 0 : (bits & 1) + ones(bits >> 1);
}
