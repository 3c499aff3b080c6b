import { createHash, randomUUID } from "node:crypto";
import { backoffMs, pause } from "../backoff.ts";
import { OnceStoreUnavailable, OutcomeUnknown } from "../errors.ts";
import type { Middleware } from "../middleware.ts";
import type { OnceStore } from "../once-store.ts";
import type { Visit } from "../visit.ts";
import { recall, record } from "./kept-outcome.ts";

export interface OnceOptions {
  readonly store: OnceStore;
  /** The stop's consumer group: each stop does a message's work once. */
  readonly group: string;
  /** How long an outcome is kept, ms. */
  readonly ttlMs: number;
  /** What an attempt may take, ms. */
  readonly timeLimitMs: number;
  /** What to do when a claim has run out without an outcome, so that nobody knows what was done: work again, or a dead letter. */
  readonly onExpired: "again" | "dead";
}

/**
 * A claim lasts as long as an attempt may take, and this for what is around it. It is not renewed: an attempt that takes
 * longer has failed, and a process that hangs could not renew it either.
 */
const LEASE_MARGIN_MS = 5_000;
/** An outcome with more to send, as text, is not kept: Redis is no place for it. */
const MOST_KEPT = 1_048_576;

/** This visit's claim, and its outcome while the store does not have it yet: the work is not done again for that. */
interface Mine {
  readonly token: string;
  outcome: string | null;
}

/**
 * Does a message's work once: claims it, works, keeps the outcome (what is to be sent, byte for byte) and only then goes on.
 * One that comes again gets that outcome without the callback. Each attempt claims anew, and one that fails gives its claim
 * up. What it can't promise: docs/guarantees.md.
 */
export function once({ store, group, ttlMs, timeLimitMs, onExpired }: OnceOptions): Middleware {
  const visits = new WeakMap<Visit, Mine>();
  const leaseMs = timeLimitMs + LEASE_MARGIN_MS;

  function mineOf(visit: Visit): Mine {
    const mine = visits.get(visit) ?? { token: randomUUID(), outcome: null };
    visits.set(visit, mine);
    return mine;
  }

  /** Resolves with the outcome that is known already, or with null once the claim is ours. */
  async function claim(visit: Visit, key: string, token: string): Promise<string | null> {
    for (let asked = 1; ; asked++) {
      const found = await reach(store.claim(key, { token, leaseMs, ttlMs, takeOver: onExpired === "again" }));
      if (found.state === "mine") return null;
      if (found.state === "done") return found.result;
      if (found.state === "expired") throw new OutcomeUnknown(visit.id);
      await pause(Math.min(found.forMs, 20 + backoffMs(asked, 50, 1_000)), visit.signal, visit.setting.halt);
    }
  }

  return (next) => async (visit) => {
    const mine = mineOf(visit);
    const key = `${group}:${visitHash(visit)}`;
    if (mine.outcome === null) {
      const known = await claim(visit, key, mine.token);
      if (known !== null) return recall(visit, known);
      try {
        const outcome = await next(visit);
        mine.outcome = record(visit, outcome);
        if (mine.outcome.length > MOST_KEPT) return tooMuch(visit, outcome, mine.outcome.length);
      } catch (error) {
        // Where the store is away the claim runs out by itself.
        await store.release(key, mine.token).catch(() => undefined);
        throw error;
      }
    }
    return recall(visit, await reach(store.store(key, mine.outcome, ttlMs)));
  };
}

function tooMuch<Outcome>({ id, setting }: Visit, outcome: Outcome, length: number): Outcome {
  setting.log.warn(
    { id, length },
    `what came of the message is too large to be kept: should it come again, it is worked on again`,
  );
  return outcome;
}

async function reach<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw new OnceStoreUnavailable(error);
  }
}

/** The message and the way it has come: a route may visit a stop twice, and that is no redelivery. */
function visitHash({ id, envelope }: Visit): string {
  const visit = JSON.stringify([id, envelope.header?.historical_route ?? []]);
  return createHash("sha256").update(visit).digest("base64url");
}
