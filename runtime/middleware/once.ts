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

/** A replay says of which dead letter it is (`runtime/dead-letters/letter.ts`). */
const REPLAY_LETTER = "replay.letter";

/** What a visit claims, and its outcome while the store does not have it yet: the work is not done again for that. */
interface Mine {
  readonly token: string;
  key: string;
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
    const mine = visits.get(visit) ?? { token: randomUUID(), key: `${group}:${visitHash(visit)}`, outcome: null };
    visits.set(visit, mine);
    return mine;
  }

  /** Resolves with the outcome that is known already, or with null once the claim is ours. */
  async function claim(visit: Visit, mine: Mine): Promise<string | null> {
    const request = { token: mine.token, leaseMs, ttlMs, takeOver: onExpired === "again" };
    for (let asked = 1; ; asked++) {
      const found = await reach(store.claim(mine.key, request));
      if (found.state === "mine") return null;
      if (found.state === "done") return found.result;
      if (found.state === "expired") {
        mine.key = keyOfReplay(visit, mine.key);
        continue;
      }
      await pause(Math.min(found.forMs, 20 + backoffMs(asked, 50, 1_000)), visit.signal, visit.setting.halt);
    }
  }

  return (next) => async (visit) => {
    const mine = mineOf(visit);
    if (mine.outcome === null) {
      const known = await claim(visit, mine);
      if (known !== null) return recall(visit, known);
      try {
        const outcome = await next(visit);
        mine.outcome = record(visit, outcome);
        if (mine.outcome.length > MOST_KEPT) return tooMuch(visit, outcome, mine.outcome.length);
      } catch (error) {
        // Where the store is away the claim runs out by itself.
        await store.release(mine.key, mine.token).catch(() => undefined);
        throw error;
      }
    }
    return recall(visit, await reach(store.store(mine.key, mine.outcome, ttlMs)));
  };
}

function tooMuch<Outcome>({ id, setting }: Visit, outcome: Outcome, length: number): Outcome {
  setting.log.warn(
    { id, length },
    "what came of the message is too large to be kept: should it come again, nobody knows any more what was done",
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

/** Where nobody knows what was done, somebody who replays the letter of that has looked: the replay's work is done, once too. */
function keyOfReplay({ id, record: { headers } }: Visit, key: string): string {
  const letter = headers.find(([name]) => name === REPLAY_LETTER)?.[1]?.toString("base64url");
  if (letter === undefined || key.endsWith(`:${letter}`)) throw new OutcomeUnknown(id);
  return `${key}:${letter}`;
}

/**
 * The message and the way it has come: a route may visit a stop twice, and that is no redelivery. An id that is a place in a
 * topic, or a fork's of that, comes again when the topic is made anew: only with its time it is one message.
 */
function visitHash({ id, boarded, envelope }: Visit): string {
  const way = envelope.header?.historical_route ?? [];
  const visit = JSON.stringify(/-\d+-\d+(\.\d+)*$/.test(id) ? [id, way, boarded] : [id, way]);
  return createHash("sha256").update(visit).digest("base64url");
}
