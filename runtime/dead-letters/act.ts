import { setTimeout as sleep } from "node:timers/promises";
import type { Bus, Outgoing } from "../bus.ts";
import { MetrobusError } from "../errors.ts";
import { readAction, type Action } from "./actions.ts";
import { LetterSet } from "./letter-set.ts";
import type { Letter } from "./letter.ts";
import { span, spansOf } from "./scan.ts";

/** What came of a call so far. */
export interface ActionReport {
  /** Letters for which it was asked. */
  readonly asked: number;
  readonly done: number;
  /** Those that somebody had replayed or discarded before. */
  readonly already: number;
  /** Those with which nothing could be done; they can be asked for again. */
  readonly failed: number;
  /** The first hundred of these, and why. */
  readonly failures: readonly { readonly letter: string; readonly why: string }[];
}

export interface ActOptions {
  /** Default: this process's user and host. */
  readonly by?: string;
  /** Letters a second, at most. Default: as fast as it goes. */
  readonly rate?: number;
  /** When it aborts no more letters are asked for; what is asked for is still waited for. */
  readonly signal?: AbortSignal;
  /** Told now and then, and at the end. */
  readonly onProgress?: (report: ActionReport) => void;
}

export interface Acting {
  readonly bus: Bus;
  /** The actions topic. */
  readonly topic: string;
  readonly run: string;
  readonly letters: AsyncIterable<Letter>;
  /** Ids that should be among them. */
  readonly wanted: readonly string[];
  /** The request for a letter; throws MetrobusError when it can't be done. */
  readonly request: (letter: Letter) => Outgoing;
  /** Resolves when nobody carries out requests in this process any more, with the reason. */
  readonly failed: Promise<Error>;
}

const MOST_FAILURES = 100;
/** Requests on their way at once. */
const CHUNK = 500;
const CHUNK_BYTES = 4 * 1024 * 1024;
const LOOK_MS = 50;
const LONGEST_LOOK_MS = 1_000;

/** Writes a request for each letter, and resolves when somebody has answered them all. Memory does not grow with their number but by a bit each. */
export async function act(acting: Acting, { rate, signal, onProgress }: ActOptions): Promise<ActionReport> {
  const { bus, topic, run, letters, wanted, request } = acting;
  const answered = new LetterSet();
  const report = { asked: 0, done: 0, already: 0, failed: 0, failures: [] as { letter: string; why: string }[] };
  const next = new Map((await spansOf(bus, topic, topic)).map(({ lane, end }) => [lane, end]));
  let asking = true;
  let over = false;

  function fail(letter: string, why: string): void {
    report.failed++;
    if (report.failures.length < MOST_FAILURES) report.failures.push({ letter, why });
  }

  async function send(letter: string, record: Outgoing): Promise<void> {
    try {
      await bus.send([record]);
      report.asked++;
    } catch (error) {
      if (!(error instanceof MetrobusError) || error.retryable) throw error;
      fail(letter, error.message);
    }
  }

  async function ask(): Promise<void> {
    const missing = new Set(wanted);
    let chunk: Promise<void>[] = [];
    let bytes = 0;
    const flush = async () => {
      await Promise.all(chunk);
      [chunk, bytes] = [[], 0];
    };
    const ahead = pace(rate);
    for await (const letter of letters) {
      missing.delete(letter.id);
      const wait = ahead();
      if (wait > 0) {
        await flush();
        await sleep(wait, undefined, signal && { signal }).catch(() => undefined);
      }
      if (signal?.aborted || over) break;
      try {
        const record = request(letter);
        chunk.push(send(letter.id, record));
        bytes += record.value?.length ?? 0;
      } catch (error) {
        if (!(error instanceof MetrobusError)) throw error;
        fail(letter.id, error.message);
      }
      if (chunk.length >= CHUNK || bytes >= CHUNK_BYTES) await flush();
    }
    await flush();
    if (!signal?.aborted) for (const letter of missing) fail(letter, "there is no such letter");
  }

  function hear({ run: of, letter, outcome, why }: Action): void {
    if (of !== run || outcome === "asked" || answered.has(letter)) return;
    answered.add(letter);
    if (outcome === "failed") fail(letter, why);
    else report[outcome]++;
  }

  /** Whoever works on a request, its answer comes behind it. */
  async function listen(): Promise<void> {
    for (const { lane, low, end } of await spansOf(bus, topic, topic)) {
      const from = next.get(lane) ?? low;
      for await (const record of span(bus, topic, { lane, low: from, end })) {
        const said = readAction(record);
        if (said) hear(said.asked);
      }
      next.set(lane, end);
    }
  }

  async function untilAnswered(): Promise<void> {
    for (let wait = LOOK_MS; (asking || answered.size < report.asked) && !over;) {
      const before = answered.size;
      await listen();
      onProgress?.(report);
      wait = answered.size > before ? LOOK_MS : Math.min(LONGEST_LOOK_MS, wait * 1.5);
      if (asking || answered.size < report.asked) await sleep(wait);
    }
  }

  try {
    const asked = ask().finally(() => (asking = false));
    const broken = acting.failed.then((error) => Promise.reject(error));
    await Promise.race([Promise.all([asked, untilAnswered()]), broken]);
  } finally {
    over = true;
  }
  onProgress?.(report);
  return report;
}

/** How long to wait for the next, ms. What was missed is caught up with for a second at most. */
function pace(rate = 0): () => number {
  let due = Date.now();
  return () => {
    if (rate <= 0) return 0;
    const now = Date.now();
    const ahead = due - now;
    due = Math.max(due, now - 1_000) + 1_000 / rate;
    return ahead;
  };
}
