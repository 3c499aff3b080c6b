import { setTimeout as sleep } from "node:timers/promises";
import { answersTo } from "./answers.ts";
import { ask, type Asking } from "./ask.ts";
import { Tally, type ActionReport } from "./report.ts";

export interface ActOptions {
  /** Default: this process's user and host. */
  readonly by?: string;
  /**
   * What the call is part of; default: a run of its own. It goes on with what earlier ones of that run have left behind, here
   * or in another process: it asks for no letter twice, and its report is of all of them.
   */
  readonly run?: LetterRun;
  /** Letters a second, at most. Default: as fast as it goes. */
  readonly rate?: number;
  /** When it aborts no more letters are asked for; what is asked for is still waited for. */
  readonly signal?: AbortSignal;
  /** Told now and then, and at the end. */
  readonly onProgress?: (report: ActionReport) => void;
}

/** One thing that is done with many letters, by one call or by several, of which each goes on where another one ended. */
export interface LetterRun {
  /** In the record of every action. */
  readonly id: string;
  /** Where letters and actions ended as it began, as cursors: it acts on no letter that came later, so on none that comes of it. */
  readonly letters: string;
  readonly actions: string;
}

export interface Acting extends Omit<Asking, "rate" | "signal"> {
  /** The actions topic. */
  readonly topic: string;
  /** What the requests have as their run. */
  readonly run: string;
  /** Where its actions begin, as a cursor; undefined: it has none yet. */
  readonly since: string | undefined;
  /** Resolves, with the reason, when nobody carries out requests in this process any more. */
  readonly failed: Promise<Error>;
}

const LOOK_MS = 50;
const LONGEST_LOOK_MS = 1_000;

/** Asks for each letter, and resolves when somebody has answered all. Memory grows by two bits a letter, not more. */
export async function act(acting: Acting, options: ActOptions): Promise<ActionReport> {
  const { bus, topic, run, since, failed } = acting;
  const { rate = 0, signal, onProgress } = options;
  const tally = new Tally();
  const answers = await answersTo(run, bus, topic, tally, since);
  if (since !== undefined) await answers.listen();
  const over = new AbortController();
  const ending = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
  let asking = true;
  const waiting = () => (asking || !tally.complete) && !over.signal.aborted;

  async function untilAnswered(): Promise<void> {
    for (let wait = LOOK_MS; waiting();) {
      wait = (await answers.listen()) ? LOOK_MS : Math.min(LONGEST_LOOK_MS, wait * 1.5);
      onProgress?.(tally.report());
      if (waiting()) await sleep(wait);
    }
  }

  try {
    const asked = ask({ ...acting, rate, signal: ending }, tally).finally(() => (asking = false));
    const broken = failed.then((error) => Promise.reject(error));
    await Promise.race([Promise.all([asked, untilAnswered()]), broken]);
  } finally {
    over.abort();
  }
  onProgress?.(tally.report());
  return tally.report();
}
