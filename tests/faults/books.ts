import type { Entry } from "./ledger.ts";

/** What came of all messages of a trial. */
export interface Books {
  /** How many different messages lie in the first topic. */
  readonly sent: number;
  /** Numbers that are neither at an end nor among the dead letters. */
  readonly lost: readonly number[];
  /** How often a message came out again that had gone in once. */
  readonly twice: number;
  /** Numbers whose first occurrence, somewhere on the route, comes after that of a higher number of the same key. */
  readonly disordered: readonly number[];
  /** Numbers that came out and had never gone in. */
  readonly invented: readonly number[];
  readonly dead: ReadonlySet<number>;
}

export const KEYS = 40;

export interface Found {
  readonly first: readonly Entry[];
  /** Of each stop after the first, in the order of the route. */
  readonly between: readonly (readonly Entry[])[];
  readonly ends: readonly (readonly Entry[])[];
  readonly letters: readonly Entry[];
}

export function booksOf({ first, between, ends, letters }: Found): Books {
  const wentIn = counts(first);
  const cameOut = counts([...ends.flat(), ...letters]);
  const lost = [...wentIn.keys()].filter((n) => !cameOut.has(n));
  let twice = 0;
  for (const [n, times] of cameOut) twice += Math.max(0, times - Math.max(1, wentIn.get(n) ?? 0));
  return {
    sent: wentIn.size,
    lost,
    twice,
    disordered: [...between, ...ends].flatMap(disorderedIn),
    invented: [...cameOut.keys()].filter((n) => !wentIn.has(n)),
    dead: new Set(letters.map(({ n }) => n)),
  };
}

/** How often each number is there. */
export function counts(entries: readonly { readonly n: number }[]): Map<number, number> {
  const found = new Map<number, number>();
  for (const { n } of entries) found.set(n, (found.get(n) ?? 0) + 1);
  return found;
}

function disorderedIn(entries: readonly Entry[]): number[] {
  const seen = new Set<number>();
  const highest = new Map<string, number>();
  return entries.flatMap(({ n, partition }) => {
    const key = `${partition} ${n % KEYS}`;
    const before = highest.get(key) ?? -1;
    const late = !seen.has(n) && n < before;
    seen.add(n);
    highest.set(key, Math.max(n, before));
    return late ? [n] : [];
  });
}
