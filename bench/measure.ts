import type { Cluster } from "./cluster.ts";
import type { Name } from "./variants.ts";

/** What the measures have in common. */
export interface Bench {
  readonly cluster: Cluster;
  /** How many lie ready for a variant that makes tens of thousands a second; where less are enough, a part of it. */
  readonly messages: number;
  readonly rounds: number;
  /** How long a slow variant is looked at. */
  readonly seconds: number;
  /** The variants that this machine and this version of metrobus have. */
  readonly names: readonly Name[];
  say(line: string): void;
}

/** One question, and the file of measures/ that answers it. */
export interface Measure {
  readonly name: string;
  run(bench: Bench): Promise<Findings>;
}

export interface Findings {
  readonly rows: readonly Row[];
  /** For the table of variants. */
  readonly figures?: Partial<Record<Name, Partial<Figures>>>;
}

/** Medians of the rounds. */
export interface Figures {
  readonly messagesPerSecond: number;
  readonly cpuSecondsPerMillion: number;
  /** The most of the process's memory that was ever resident. */
  readonly memoryMB: number;
  /** Milliseconds, at 1,000 messages a second. */
  readonly p50: number;
  readonly p99: number;
}

export interface Row {
  readonly what: string;
  readonly unit: "×" | "ms" | "MB" | "%";
  /** The median of the rounds. */
  readonly seen: number;
  /** Each round's by itself: a machine is not the same from minute to minute. */
  readonly rounds: readonly number[];
  /** None: it is only priced. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

export const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

export function row(what: string, unit: Row["unit"], rounds: readonly number[], target?: Row["target"]): Row {
  return { what, unit, seen: median(rounds), rounds, ...(target && { target }) };
}

/** A row of each round's ratio of one to another. */
export function ratio(
  what: string,
  one: readonly number[],
  other: readonly number[],
  target?: Row["target"],
): readonly Row[] {
  const rounds = one.flatMap((figure, at) => (other[at] === undefined ? [] : [figure / other[at]]));
  return rounds.length === 0 ? [] : [row(what, "×", rounds, target)];
}

/** Each case once a round, in an order that turns, so that none always comes after the same other one. */
export async function inTurn<K extends string, T>(
  { say }: Bench,
  rounds: number,
  cases: Readonly<Record<K, () => Promise<T>>>,
): Promise<Record<K, T[]>> {
  const names = Object.keys(cases) as K[];
  const found = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<K, T[]>;
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < names.length; at++) {
      const name = names[(at + round) % names.length]!;
      const result = await cases[name]();
      found[name].push(result);
      say(`${round + 1}/${rounds} ${name}: ${JSON.stringify(result)}`);
    }
  }
  return found;
}

/** What the results of the rounds have under a name. */
export const each = <T, W extends keyof T>(results: readonly T[] | undefined, what: W): readonly T[W][] =>
  (results ?? []).map((result) => result[what]);
