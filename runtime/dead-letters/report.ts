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

const MOST_FAILURES = 100;

/** A report while it grows. */
export class Tally implements ActionReport {
  asked = 0;
  done = 0;
  already = 0;
  failed = 0;
  readonly failures: { readonly letter: string; readonly why: string }[] = [];

  fail(letter: string, why: string): void {
    this.failed++;
    if (this.failures.length < MOST_FAILURES) this.failures.push({ letter, why });
  }

  report(): ActionReport {
    const { asked, done, already, failed, failures } = this;
    return { asked, done, already, failed, failures: [...failures] };
  }
}
