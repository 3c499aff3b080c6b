import { setTimeout as sleep } from "node:timers/promises";
import {
  bulkRuns,
  deadLetters,
  MetrobusError,
  Unavailable,
  UnknownTopic,
  type BulkRuns,
  type DeadLetters,
  type LetterGroups,
  type MetroBus,
} from "metrobus";
import { FIRST_MS } from "../resource.ts";
import type { BusSource } from "./bus.ts";

/** The dead letters of the bus, as soon as it is there. Nothing of them lives in this process but what is counted. */
export interface LetterSource {
  /** Throws Unavailable while there is no bus. */
  letters(): DeadLetters;
  /** Resolves when it is known what was done with letters. Throws Unavailable where who opens a view would wait for that too long: it is read on. */
  ready(): Promise<void>;
  runs(): BulkRuns;
  /** Counts by group as far as they are read; reading goes on behind this. `isCounted`: all that there was has been read once. */
  groups(): LetterGroups & {
    readonly read: number;
    readonly all: number;
    readonly isCounted: boolean;
    readonly fault: string | null;
  };
  /** Why letters can't be acted on, and what to do about it, as it was some seconds ago at most; null: nothing is known to be in the way. */
  blocked(): Promise<string | null>;
  /** Those of the topics that do not exist, of the first twenty. */
  missing(topics: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Opened {
  readonly metro: MetroBus;
  readonly letters: DeadLetters;
  readonly runs: BulkRuns;
  readonly counts: ReturnType<DeadLetters["counts"]>;
  readonly blocked: LetterSource["blocked"];
}

/** Carries out bulk runs from when there is a bus, those too that another page has left behind. */
export function letterSource(bus: BusSource): LetterSource {
  const over = new AbortController();
  let opened: Opened | undefined;
  let working: AsyncDisposable | undefined;
  let refreshing: Promise<void> | undefined;
  let fault: string | null = null;
  let isCounted = false;
  let isReady = false;
  let whyNotReady = "what was done with letters is still being read: they are shown as soon as it is known";

  function open(): Opened {
    const metro = bus.get();
    if (opened?.metro === metro) return opened;
    const letters = deadLetters(metro);
    const runs = bulkRuns(metro, letters);
    working ??= runs.work();
    return (opened = { metro, letters, runs, counts: letters.counts(over.signal), blocked: whyBlocked(letters) });
  }

  void bus.ready.then(() => over.signal.aborted || open());

  return {
    letters: () => open().letters,
    async ready() {
      if (isReady) return;
      const read = open().letters.refresh();
      read.then(
        () => (isReady = true),
        (error: Error) => (whyNotReady = error.message),
      );
      const late = sleep(FIRST_MS, "late", { ref: false });
      if ((await Promise.race([read, late])) === "late") throw new Unavailable(whyNotReady);
    },
    runs: () => open().runs,
    groups() {
      const { counts } = open();
      refreshing ??= counts
        .refresh()
        .then(
          () => {
            fault = null;
            isCounted = true;
          },
          (error: Error) => (fault = error.message),
        )
        .then(() => (refreshing = undefined));
      const { read, total: all } = counts.progress();
      return { ...counts.groups(), read, all, isCounted, fault };
    },
    blocked: () => open().blocked(),
    async missing(topics) {
      const { bus } = open().metro;
      const asked = topics.slice(0, MOST_ASKED);
      // Of a topic that can't be asked for nobody says that it is missing.
      const known = await Promise.all(asked.map((topic) => bus.knows(topic).catch(() => true)));
      return asked.filter((_, at) => !known[at]);
    },
    async close() {
      over.abort(new Error("the page ends"));
      await working?.[Symbol.asyncDispose]();
    },
  };
}

/** Each is a question or two to the bus. */
const MOST_ASKED = 20;
const CHECK_AGAIN_MS = 2_000;

/** It is asked for with every update of the page: that letters can be acted on is asked of the bus until it is so, and then no more. */
function whyBlocked(letters: DeadLetters): LetterSource["blocked"] {
  let known: Promise<string | null> | undefined;
  let isFinal = false;
  let askedAt = 0;

  async function ask(): Promise<string | null> {
    try {
      await letters.check();
      isFinal = true;
      return null;
    } catch (error) {
      if (!(error instanceof MetrobusError)) throw error;
      // Without their topic there are no letters yet; and that the bus is away is told by whatever reads them.
      return error instanceof UnknownTopic || error.retryable ? null : error.message;
    }
  }

  return () => {
    const isFresh = isFinal || performance.now() - askedAt < CHECK_AGAIN_MS;
    if (known && isFresh) return known;
    askedAt = performance.now();
    return (known = ask());
  };
}
