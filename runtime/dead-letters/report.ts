import { LetterSet } from "./letter-set.ts";

/** What came of a call, or of a whole run, so far. */
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

const MOST_FAILURES = 100;

/** A report while it grows: each letter counts once, however often it is told of. */
export class Tally {
  readonly #asked = new LetterSet();
  readonly #answered = new LetterSet();
  #done = 0;
  #already = 0;
  #failed = 0;
  readonly #failures: { readonly letter: string; readonly why: string }[] = [];

  /** It was asked for. */
  ask(letter: string): void {
    this.#asked.add(letter);
  }

  hasAsked(letter: string): boolean {
    return this.#asked.has(letter);
  }

  /** What came of it. The first answer counts: what is asked for twice is answered with "already" the second time. */
  answer(letter: string, outcome: "done" | "already" | "failed", why: string): void {
    if (this.#answered.has(letter)) return;
    this.#asked.add(letter);
    this.#answered.add(letter);
    if (outcome === "done") this.#done++;
    else if (outcome === "already") this.#already++;
    else this.fail(letter, why);
  }

  get answered(): number {
    return this.#answered.size;
  }

  /** All that was asked for has an answer. */
  get complete(): boolean {
    return this.#answered.size === this.#asked.size;
  }

  /** It can't be done, or can't even be asked for. */
  fail(letter: string, why: string): void {
    this.#failed++;
    if (this.#failures.length < MOST_FAILURES) this.#failures.push({ letter, why });
  }

  report(): ActionReport {
    return {
      asked: this.#asked.size,
      done: this.#done,
      already: this.#already,
      failed: this.#failed,
      failures: [...this.#failures],
    };
  }
}
