import { createHmac, randomBytes, timingSafeEqual, type KeyObject } from "node:crypto";
import { signingKey, type Logger } from "metrobus";
import { RateLimiterMemory } from "rate-limiter-flexible";
import type { Refusal } from "./visitor.ts";

const WINDOW = { duration: 15 * 60 };
const WRONG_FOR_ONE_NAME = 10;
const WRONG_IN_ALL = 50;

/**
 * Checks passwords, one at a time: each check takes 32 MB and a third of a second, and so nobody gets more guesses by making them at
 * once. An address has 10 wrong ones for a name, and 50 in all, in 15 minutes: who guesses from one address locks nobody out from
 * another. A right password is known again, so that programs don't wait for each request.
 */
export function passwords(operators: ReadonlyMap<string, string>, log: Logger) {
  const byName = new RateLimiterMemory({ ...WINDOW, points: WRONG_FOR_ONE_NAME });
  const byAddress = new RateLimiterMemory({ ...WINDOW, points: WRONG_IN_ALL });
  const secret = randomBytes(32);
  const proven = new Map<string, { readonly digest: Buffer; readonly key: KeyObject }>();
  let last: Promise<unknown> = Promise.resolve();

  async function waitS(address: string, guess: string): Promise<number> {
    const [forName, inAll] = await Promise.all([byName.get(guess), byAddress.get(address)]);
    const waits = [forName, inAll].map((each) => (each && each.remainingPoints <= 0 ? each.msBeforeNext : 0));
    return Math.ceil(Math.max(...waits) / 1_000);
  }

  /** An unknown name takes the time of a known one. */
  async function keyOf(name: string, password: string): Promise<KeyObject | null> {
    const digest = createHmac("sha256", secret).update(password).digest();
    const before = proven.get(name);
    if (before && timingSafeEqual(before.digest, digest)) return before.key;
    const [anyHash] = operators.values();
    const key = await signingKey(password, operators.get(name) ?? anyHash!);
    if (!key || !operators.has(name)) return null;
    proven.set(name, { digest, key });
    return key;
  }

  async function check(address: string, name: string, password: string): Promise<KeyObject | Refusal> {
    const guess = `${address} ${name.slice(0, 100)}`;
    const retryAfterS = await waitS(address, guess);
    if (retryAfterS > 0) {
      const minutes = Math.ceil(retryAfterS / 60);
      return { status: 429, error: `too many wrong passwords: try again in ${minutes} min`, retryAfterS };
    }
    const key = await keyOf(name, password);
    if (key) return key;
    await Promise.all([byName.penalty(guess), byAddress.penalty(address)]);
    // Some type their password into the wrong field.
    log.warn({ address, operator: operators.has(name) ? name : "(unknown)" }, "a wrong name or password");
    return { status: 401, error: "the name or the password is wrong" };
  }

  return {
    /** The operator's private key, if it is his password. `address`: the visitor's. At least one operator is needed. */
    key(address: string, name: string, password: string): Promise<KeyObject | Refusal> {
      const checked = last.then(() => check(address, name, password));
      last = checked.catch(() => {});
      return checked;
    },
  };
}
