import type { Letter } from "./letter.ts";
import { LETTER_STATES, type LetterState } from "./standing.ts";

/** How many letters are in which state, and when the first and the last of them failed, epoch ms. */
export interface LetterTotals extends Readonly<Record<LetterState, number>> {
  readonly first: number;
  readonly last: number;
}

/** Letters that failed at the same stop for the same reason with an error of the same name. */
export interface LetterGroup extends LetterTotals {
  readonly stop: string;
  readonly reason: string;
  readonly error: string;
  /** What the error of the newest of them said, its first 200 characters at most. */
  readonly lastMessage: string;
}

export interface LetterGroups {
  /** At most 1,000; first that with the most letters that nobody has handled. */
  readonly groups: readonly LetterGroup[];
  /** Letters of further groups; null: there is none. */
  readonly other: LetterTotals | null;
  /** All letters; null: there is none. */
  readonly total: LetterTotals | null;
}

type Growing = { -readonly [Name in keyof LetterTotals]: LetterTotals[Name] };
type Failed = Pick<Letter, "stop" | "reason" | "error" | "message" | "time">;

const MOST_GROUPS = 1_000;
/** Names longer than this, of all three together, are no names. */
const LONGEST_NAMES = 1_000;
const LONGEST_MESSAGE = 200;
/** The number of letters that are counted together. */
const OTHER = 1;

/** Counts letters by group, in bounded memory. A group has a number by which a letter can be counted elsewhere, or no more. */
export class Groups {
  /** By their number; a number that is free has null. */
  #totals: (Growing | null)[] = [null, newTotals()];
  /** What the newest letter of each said. */
  #messages: string[] = [];
  readonly #numbers = new Map<string, number>();

  add({ stop, reason, error, message, time }: Failed, state: LetterState): number {
    const number = this.#numberOf(JSON.stringify([stop, reason, error]));
    const totals = this.#totals[number]!;
    totals[state]++;
    if (time >= totals.last) this.#messages[number] = cut(message);
    totals.first = Math.min(totals.first, time);
    totals.last = Math.max(totals.last, time);
    return number;
  }

  move(number: number, from: LetterState, to: LetterState): void {
    const totals = this.#totals[number]!;
    totals[from]--;
    totals[to]++;
  }

  remove(number: number, state: LetterState): void {
    const totals = this.#totals[number]!;
    totals[state]--;
    if (sizeOf(totals) > 0) return;
    this.#totals[number] = number === OTHER ? newTotals() : null;
    for (const [names, of] of this.#numbers) if (of === number) this.#numbers.delete(names);
  }

  clear(): void {
    this.#totals = [null, newTotals()];
    this.#messages = [];
    this.#numbers.clear();
  }

  report(): LetterGroups {
    const groups = [...this.#numbers].map(([names, number]) => {
      const [stop, reason, error] = JSON.parse(names) as [string, string, string];
      return { stop, reason, error, lastMessage: this.#messages[number]!, ...this.#totals[number]! };
    });
    const other = this.#totals[OTHER]!;
    return {
      groups: groups.sort((a, b) => leftOf(b) - leftOf(a) || sizeOf(b) - sizeOf(a)),
      other: sizeOf(other) > 0 ? { ...other } : null,
      total: sumOf([...groups, other].filter((totals) => sizeOf(totals) > 0)),
    };
  }

  #numberOf(names: string): number {
    const known = this.#numbers.get(names);
    if (known !== undefined) return known;
    if (this.#numbers.size >= MOST_GROUPS || names.length > LONGEST_NAMES) return OTHER;
    const free = this.#totals.indexOf(null, OTHER);
    const number = free < 0 ? this.#totals.length : free;
    this.#totals[number] = newTotals();
    this.#numbers.set(names, number);
    return number;
  }
}

/** By its bytes: what is cut off a text otherwise keeps all of it in memory. */
const cut = (message: string): string => Buffer.from(message.slice(0, LONGEST_MESSAGE)).toString();

const newTotals = (): Growing => ({
  open: 0,
  asked: 0,
  replayed: 0,
  discarded: 0,
  first: Number.POSITIVE_INFINITY,
  last: Number.NEGATIVE_INFINITY,
});

const leftOf = ({ open, asked }: LetterTotals): number => open + asked;
const sizeOf = (totals: LetterTotals): number => LETTER_STATES.reduce((sum, state) => sum + totals[state], 0);

function sumOf(all: readonly LetterTotals[]): LetterTotals | null {
  if (all.length === 0) return null;
  const sum = newTotals();
  for (const totals of all) {
    for (const state of LETTER_STATES) sum[state] += totals[state];
    sum.first = Math.min(sum.first, totals.first);
    sum.last = Math.max(sum.last, totals.last);
  }
  return sum;
}
