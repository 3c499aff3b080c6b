import type { Batch, Instead, Outgoing } from "./bus.ts";
import { asError, LaneLost, TooLarge } from "./errors.ts";
import { letterFor } from "./middleware/dead-letter.ts";
import type { Visit } from "./visit.ts";

const MOST_RECORDS = 1_000;
const MOST_BYTES = 900 * 1_024;
const LONGEST_MS = 5;

/**
 * Gathers the results of one batch, so that sending and committing is shared: hands them over when the batch has no
 * more, at 1,000 results or 900 KB, and at the latest 5 ms after the first: batching makes it fast and must not be felt.
 */
export function gather<T extends { readonly out: readonly Outgoing[] }>(
  expected: number,
  handOver: (results: T[], bytes: number, isLast: boolean) => void,
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
    const [full, size] = [results, bytes];
    results = [];
    bytes = 0;
    handOver(full, size, missing === 0);
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

export type Gathering = Pick<ReturnType<typeof gather>, "flush">;

/** Who is told what came of a settlement. */
export interface Settling {
  /** Told of each visit once, when its outcome is durable. */
  readonly settled: (visit: Visit) => void;
  /** Told of each visit of a settlement that was broken off with its lane: the record comes again. */
  readonly lost: (visit: Visit) => void;
  /** Told each time a dead letter can't be written; its lane waits until it can. */
  readonly stuck: (visit: Visit, why: Error) => void;
  /** Told of what can't be: a bus, middleware or one of these that broke its promise. */
  readonly failed: (error: Error) => void;
}

/**
 * Settles visits, with a dead letter in the place of what can't be sent, and tells what came of each. `sent` is called when
 * what came of them is written for sure, though not yet their position; not always before the end. Never rejects.
 */
export async function settle(
  carryOut: Batch["settle"],
  visits: readonly Visit[],
  { settled, lost, stuck, failed }: Settling,
  sent: () => void,
): Promise<void> {
  const instead: Instead = (index, why) => {
    const visit = visits.find((each) => each.index === index)!;
    return (visit.out = [letterInstead(visit, why, stuck)]);
  };
  let reached = visits;
  try {
    await carryOut(visits, instead, () => {
      // Behind a slow message thousands may wait for their position: they keep no more than what is told of them.
      for (const visit of visits) visit.letGo();
      sent();
    });
  } catch (error) {
    if (!(error instanceof LaneLost)) return failed(asError(error));
    const { passed } = error;
    reached = visits.filter(({ index }) => passed.has(index));
    for (const visit of visits) if (!passed.has(visit.index)) lost(visit);
  }
  try {
    tell(reached, settled);
  } catch (error) {
    failed(asError(error));
  }
}

function letterInstead(visit: Visit, why: Error, stuck: Settling["stuck"]): Outgoing {
  if (visit.outcome.kind !== "dead") {
    visit.outcome = { kind: "dead", error: why };
    return letterFor(visit, why);
  }
  stuck(visit, why);
  return letterFor(visit, visit.outcome.error, why instanceof TooLarge);
}

/** Tells of every visit, also after one whose telling throws; then throws what was thrown first. */
function tell(visits: readonly Visit[], settled: Settling["settled"]): void {
  const thrown: unknown[] = [];
  for (const visit of visits) {
    try {
      settled(visit);
    } catch (error) {
      thrown.push(error);
    }
  }
  if (thrown.length > 0) throw asError(thrown[0]);
}
