import { MetrobusError, OnceStoreUnavailable } from "../errors.ts";
import { reasonOf } from "../letter.ts";
import type { Logger } from "../logger.ts";
import type { Visit } from "../visit.ts";

export interface CircuitOptions {
  /** A probe comes after half to all of `baseMs` × 2^(probes that failed), at most `capMs`. */
  readonly baseMs: number;
  readonly capMs: number;
  /** Whether trying again can help: else it is the message's fault, and not the world's. */
  readonly isRetryable: (error: Error) => boolean;
  readonly log: Logger;
  /** Told when it opens (epoch ms) and closes (0). */
  readonly changed: (openSince: number) => void;
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

/** Whether nearly every message fails; and who may be tried while they do. */
export function circuit({ baseMs, capMs, isRetryable, log, changed }: CircuitOptions) {
  /** The newest in the lowest bit; 1: it failed. What it was when it opened counts on: a relapse opens it at once. */
  let recent = 0;
  let open: Open | null = null;
  let timer: NodeJS.Timeout | undefined;
  /** In the order they came; told whether they are the probe. */
  const waiting = new Set<(isProbe: boolean) => void>();

  function remember(failed: 0 | 1): void {
    recent = ((recent << 1) | failed) & LAST_TEN;
  }

  function succeeded(wasProbe: boolean): void {
    remember(0);
    if (!wasProbe || !open) return;
    log.info({ ms: Date.now() - open.since, held: open.held }, "a message succeeded: the breaker is closed");
    open = null;
    changed(0);
    for (const go of waiting) go(false);
  }

  /** Throws the error, unless its message is to be held. */
  function failed({ id }: Visit, error: Error, wasProbe: boolean): void {
    if (wasProbe && open) open.probing = false;
    try {
      weigh(error);
      if (!wasProbe || !open) return;
      open.nextProbe = performance.now() + delay(++open.failedProbes);
      log.debug({ id, err: error }, "the breaker's probe failed");
    } finally {
      arm();
    }
  }

  function weigh(error: Error): void {
    if (!isRetryable(error)) {
      // A callback that tells it is the message's fault has found that out; metrobus's own errors say nothing of the world.
      if (!(error instanceof MetrobusError)) remember(0);
      throw error;
    }
    remember(1);
    const isOutage = ones(recent) >= OPENS_AT || error instanceof OnceStoreUnavailable;
    if (!open && !isOutage) throw error;
    open ??= opened(error);
    open.error = error;
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

  /** Resolves with true for the probe, with false once it is closed. Rejects with LaneLost. */
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

  return {
    succeeded,
    failed,
    turn,
    /** Epoch ms; 0: it is closed. */
    openSince: () => open?.since ?? 0,
    /** One message more is held. */
    held: () => void (open && open.held++),
    /** Why messages are held, in words; null: they are not. */
    problem() {
      if (!open) return null;
      const next = open.probing ? "a probe is under way" : `the next probe in ${Math.ceil(untilProbe(open) / 1_000)} s`;
      return `the breaker is open since ${new Date(open.since).toISOString()}: ${told(open.error)}; ${next}`;
    },
  };
}

/** What a callback's error says may be what is in a message: that stands in the log, and in letters. */
const told = (error: Error): string => (error instanceof MetrobusError ? error.message : reasonOf(error));

function untilProbe({ nextProbe }: Open): number {
  return Math.max(0, nextProbe - performance.now());
}

function ones(bits: number): number {
  return bits === 0 ? 0 : (bits & 1) + ones(bits >> 1);
}
