import { bulkRuns, deadLetters, type BulkRuns, type DeadLetters, type LetterGroups, type MetroBus } from "metrobus";
import type { BusSource } from "./bus.ts";

/** The dead letters of the bus, as soon as it is there. Nothing of them lives in this process but what is counted. */
export interface LetterSource {
  /** Throws Unavailable while there is no bus. */
  letters(): DeadLetters;
  runs(): BulkRuns;
  /** Counts by group as far as they are read; reading goes on behind this. */
  groups(): LetterGroups & { readonly read: number; readonly all: number; readonly fault: string | null };
  /** Bulk runs are carried out from now on, as soon as there is a bus. */
  begin(): void;
  close(): Promise<void>;
}

interface Opened {
  readonly metro: MetroBus;
  readonly letters: DeadLetters;
  readonly runs: BulkRuns;
  readonly counts: ReturnType<DeadLetters["counts"]>;
}

const AGAIN_MS = 1_000;

/** Carries out bulk runs, those too that another page has left behind. */
export function letterSource(bus: BusSource): LetterSource {
  const over = new AbortController();
  let opened: Opened | undefined;
  let working: AsyncDisposable | undefined;
  let refreshing: Promise<void> | undefined;
  let fault: string | null = null;
  let timer: NodeJS.Timeout | undefined;

  function open(): Opened {
    const metro = bus.get();
    if (opened?.metro === metro) return opened;
    const letters = deadLetters(metro);
    const runs = bulkRuns(metro, letters);
    working ??= runs.work();
    return (opened = { metro, letters, runs, counts: letters.counts(over.signal) });
  }

  const waiting = () => {
    try {
      open();
    } catch {
      // There is no bus yet.
      timer = setTimeout(waiting, AGAIN_MS).unref();
    }
  };

  return {
    begin() {
      if (timer === undefined) timer = setTimeout(waiting, 0).unref();
    },
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
      clearTimeout(timer);
      over.abort(new Error("the page ends"));
      await working?.[Symbol.asyncDispose]();
    },
  };
}
