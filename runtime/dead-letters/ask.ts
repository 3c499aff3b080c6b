import { setTimeout as sleep } from "node:timers/promises";
import type { Bus, Outgoing } from "../bus.ts";
import { MetrobusError } from "../errors.ts";
import type { Letter } from "./letter.ts";
import type { Tally } from "./report.ts";

export interface Asking {
  readonly bus: Bus;
  readonly letters: AsyncIterable<Letter>;
  /** Ids that should be among them. */
  readonly wanted: readonly string[];
  /** The request for a letter; throws MetrobusError when it can't be done. */
  readonly request: (letter: Letter) => Outgoing;
  /** Letters a second, at most; 0: as fast as it goes. */
  readonly rate: number;
  /** When it aborts no more are asked for. */
  readonly signal: AbortSignal;
}

/** Requests on their way at once. */
const CHUNK = 500;
const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Writes a request for each letter for which the tally has none yet. Resolves when they are durable, with what could not be
 * asked for in the tally.
 */
export async function ask({ bus, letters, wanted, request, rate, signal }: Asking, tally: Tally): Promise<void> {
  const missing = new Set(wanted);
  const ahead = pace(rate);
  let chunk: Promise<void>[] = [];
  let bytes = 0;

  async function flush(): Promise<void> {
    await Promise.all(chunk);
    [chunk, bytes] = [[], 0];
  }

  for await (const letter of letters) {
    missing.delete(letter.id);
    if (tally.hasAsked(letter.id)) continue;
    const wait = ahead();
    if (wait > 0) {
      await flush();
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
    if (signal.aborted) break;
    const record = unlessFailed(tally, letter.id, () => request(letter));
    if (!record) continue;
    chunk.push(send(bus, letter.id, record, tally));
    bytes += record.value?.length ?? 0;
    if (chunk.length >= CHUNK || bytes >= CHUNK_BYTES) await flush();
  }
  await flush();
  if (!signal.aborted) for (const letter of missing) tally.fail(letter, "there is no such letter");
}

function unlessFailed<T>(tally: Tally, letter: string, make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof MetrobusError)) throw error;
    tally.fail(letter, error.message);
    return null;
  }
}

async function send(bus: Bus, letter: string, record: Outgoing, tally: Tally): Promise<void> {
  try {
    await bus.send([record]);
    tally.ask(letter);
  } catch (error) {
    if (!(error instanceof MetrobusError) || error.retryable) throw error;
    tally.fail(letter, error.message);
  }
}

/** How long to wait for the next, ms. What was missed is caught up with for a second at most. */
function pace(rate: number): () => number {
  let due = performance.now();
  return () => {
    if (rate <= 0) return 0;
    const now = performance.now();
    const ahead = due - now;
    due = Math.max(due, now - 1_000) + 1_000 / rate;
    return ahead;
  };
}
