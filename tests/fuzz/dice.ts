import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/** Chance from a seed: the same for the same seed and number. */
export interface Dice {
  readonly generator: RandomGenerator;
  /** From 0 on, below `end`. */
  below(end: number): number;
  /** Once in so many times. */
  once(times: number): boolean;
  pick<T>(from: readonly T[]): T;
  bytes(length: number): Buffer;
}

export function dice(seed: number, n: number): Dice {
  const generator = xoroshiro128plus(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(n + 1, 0x85eb_ca6b));
  const below = (end: number) => uniformInt(generator, 0, end - 1);
  return {
    generator,
    below,
    once: (times) => below(times) === 0,
    pick: (from) => from[below(from.length)]!,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}
