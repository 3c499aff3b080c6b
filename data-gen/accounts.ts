import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { uniformInt } from "pure-rand/distribution/uniformInt";

/** The account numbers of the demo's world; about every third belongs to somebody. */
export const FIRST_ACCOUNT = 1_000_000;
export const LAST_ACCOUNT = 1_999_999;

const NAMES = ["ann", "bob", "cleo", "dan", "eve", "finn", "gina", "hugo", "ida", "joe", "kim"];

/** Whoever has this account has this address: the account file and the white list agree without knowing each other. */
export const emailOf = (account: number): string => `${NAMES[account % NAMES.length]}.${account}@example.com`;

/** The lines of emails.dat, `account,email`: account numbers in random steps of 1 to 5, about 333,000. */
export function* accounts(seed: number): Generator<string> {
  const random = xoroshiro128plus(seed);
  for (let account = FIRST_ACCOUNT; account <= LAST_ACCOUNT; account += uniformInt(random, 1, 5))
    yield `${account},${emailOf(account)}`;
}
