import type { Outgoing } from "./bus.ts";

const MOST_RECORDS = 1_000;
const MOST_BYTES = 900 * 1_024;
const LONGEST_MS = 5;

/**
 * Gathers the results of one batch, so that sending and committing is shared: hands them over when the batch has no
 * more, at 1,000 results or 900 KB, and at the latest 5 ms after the first: batching makes it fast and must not be felt.
 */
export function gather<T extends { readonly out: readonly Outgoing[] }>(
  expected: number,
  handOver: (results: T[]) => void,
) {
  let results: T[] = [];
  let bytes = 0;
  let missing = expected;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (results.length === 0) return;
    const full = results;
    results = [];
    bytes = 0;
    handOver(full);
  }
  /** Returns whether it handed over. */
  function add(result: T): boolean {
    if (results.length === 0) since = performance.now();
    results.push(result);
    for (const { key, value } of result.out) bytes += (key?.length ?? 0) + (value?.length ?? 0);
    missing--;
    const full = missing === 0 || results.length >= MOST_RECORDS || bytes >= MOST_BYTES;
    // A callback that never awaits keeps the timer from firing, hence the look at the clock.
    if (full || performance.now() - since >= LONGEST_MS) {
      flush();
      return true;
    }
    timer ??= setTimeout(flush, LONGEST_MS);
    return false;
  }
  return { add, flush };
}
