import type { Instead, Outgoing, Settled } from "../bus.ts";
import type { MetrobusError } from "../errors.ts";
import { backoffMs, pause } from "../backoff.ts";
import { isPromise, type Maybe } from "../maybe.ts";

const BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;

/**
 * A settlement with something else in the place of each `out` that can't be sent, as `fault` finds. Where that can't be
 * sent either it asks again, with backoff, until it can or the signal aborts; then it rejects with the signal's reason.
 */
export async function sendable(
  done: readonly Settled[],
  fault: (out: readonly Outgoing[]) => Maybe<MetrobusError | null>,
  instead: Instead,
  signal: AbortSignal,
): Promise<readonly Settled[]> {
  const ready: Settled[] = [];
  for (const { index, out } of done) {
    let now = out;
    for (let failures = 0; ; failures++) {
      const found = fault(now);
      const why = isPromise(found) ? await found : found;
      if (!why) break;
      if (failures > 0) await pause(backoffMs(failures, BACKOFF_MS, LONGEST_BACKOFF_MS), signal);
      now = instead(index, why);
    }
    ready.push({ index, out: now });
  }
  return ready;
}
