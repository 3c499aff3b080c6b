import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { emailOf, FIRST_ACCOUNT, LAST_ACCOUNT } from "./accounts.ts";

/** The lines of whitelist.dat: 500,000 addresses, by the toss of a coin one of every two neighbouring account numbers. */
export function* whitelist(seed: number): Generator<string> {
  const random = xoroshiro128plus(seed + 1);
  for (let pair = FIRST_ACCOUNT; pair <= LAST_ACCOUNT; pair += 2) yield emailOf(pair + uniformInt(random, 0, 1));
}
