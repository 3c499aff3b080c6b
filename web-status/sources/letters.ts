import { bulkRuns, deadLetters, type BulkRuns, type DeadLetters, type LetterGroups, type MetroBus } from "metrobus";
import type { BusSource } from "./bus.ts";

/** The dead letters of the bus, as soon as it is there. Nothing of them lives in this process but what is counted. */
export interface LetterSource {
  /** Throws Unavailable while there is no bus. */
  letters(): DeadLetters;
  runs(): BulkRuns;
  /** Counts by group as far as they are read; reading goes on behind this. */
  groups(): LetterGroups & { readonly read: number; readonly all: number; readonly fault: string | null };
  close(): Promise<void>;
}

interface Opened {
  readonly metro: MetroBus;
  readonly letters: DeadLetters;
  readonly runs: BulkRuns;
  readonly counts: ReturnType<DeadLetters["counts"]>;
}

/** Carries out bulk runs from when there is a bus, those too that another page has left behind. */
export function letterSource(bus: BusSource): LetterSource {
  const over = new AbortController();
  let opened: Opened | undefined;
  let working: AsyncDisposable | undefined;
  let refreshing: Promise<void> | undefined;
  let fault: string | null = null;

  function open(): Opened {
    const metro = bus.get();
    if (opened?.metro === metro) return opened;
    const letters = deadLetters(metro);
    const runs = bulkRuns(metro, letters);
    working ??= runs.work();
    return (opened = { metro, letters, runs, counts: letters.counts(over.signal) });
  }

  void bus.ready.then(() => over.signal.aborted || open());

  return {
    letters: () => open().letters,
    runs: () => open().runs,
    groups() {
      const { counts } = open();
      refreshing ??= counts
        .refresh()
        .then(
          () => (fault = null),
          (error: Error) => (fault = error.message),
        )
        .then(() => (refreshing = undefined));
      const { read, total: all } = counts.progress();
      return { ...counts.groups(), read, all, fault };
    },
    async close() {
      over.abort(new Error("the page ends"));
      await working?.[Symbol.asyncDispose]();
    },
  };
}
