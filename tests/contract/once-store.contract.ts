import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OnceStore } from "../../runtime/once-store.ts";
import { eventually, unique } from "../support/probe.ts";

export interface OnceStoreUnderTest {
  store: OnceStore;
  /** What the same store is to another process. */
  other: OnceStore;
}

/** Every promise of `runtime/once-store.ts`. */
export function onceStoreContract(name: string, open: () => Promise<OnceStoreUnderTest>): void {
  describe(`the once store ${name}`, () => {
    let store: OnceStore;
    let other: OnceStore;

    beforeAll(async () => {
      ({ store, other } = await open());
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
    });

    const MINUTE = 60_000;
    const by = (token: string, more: Partial<Parameters<OnceStore["claim"]>[1]> = {}) => ({
      token,
      leaseMs: MINUTE,
      ttlMs: MINUTE,
      takeOver: true,
      ...more,
    });

    test("gives a claim to one of many who ask at once", async () => {
      const key = unique("key");
      const claimed = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 ? store : other).claim(key, by(`token ${n}`))),
      );
      expect(claimed.filter(({ state }) => state === "mine")).toHaveLength(1);
      expect(claimed.filter(({ state }) => state === "held")).toHaveLength(19);
    });

    test("says how long another has it, and knows its owner again", async () => {
      const key = unique("key");
      expect(await store.claim(key, by("a"))).toEqual({ state: "mine" });
      const held = (await other.claim(key, by("b"))) as { forMs: number };
      expect(held).toEqual({ state: "held", forMs: expect.any(Number) });
      expect(held.forMs).toBeGreaterThan(MINUTE / 2);
      expect(held.forMs).toBeLessThanOrEqual(MINUTE);
      expect(await other.claim(key, by("a"))).toEqual({ state: "mine" });
    });

    test("keeps each key for itself", async () => {
      const [one, two] = [unique("key"), unique("key")];
      await store.claim(one, by("a"));
      await store.store(one, "one", MINUTE);
      expect(await store.claim(two, by("a"))).toEqual({ state: "mine" });
    });

    test.each(["", "{}", "ü\u0000\u{1f600} as it came", "x".repeat(1_000_000)])(
      "gives a result to all who come later, whoever they are (%#)",
      async (result) => {
        const key = unique("key");
        await store.claim(key, by("a"));
        expect(await store.store(key, result, MINUTE)).toBe(result);
        expect(await store.claim(key, by("a"))).toEqual({ state: "done", result });
        expect(await other.claim(key, by("b", { takeOver: false }))).toEqual({ state: "done", result });
      },
    );

    test("the first result counts, whoever had the claim", async () => {
      const key = unique("key");
      await store.claim(key, by("a"));
      expect(await other.store(key, "first", MINUTE)).toBe("first");
      expect(await store.store(key, "second", MINUTE)).toBe("first");
      expect(await store.claim(key, by("c"))).toEqual({ state: "done", result: "first" });
    });

    test("a claim that was given up is free; only its owner can give it up, and nobody a result", async () => {
      const key = unique("key");
      await store.claim(key, by("a"));
      await other.release(key, "b");
      expect(await other.claim(key, by("b"))).toMatchObject({ state: "held" });
      await store.release(key, "a");
      expect(await other.claim(key, by("b"))).toEqual({ state: "mine" });
      await other.store(key, "result", MINUTE);
      await other.release(key, "b");
      await other.release(key, "");
      expect(await store.claim(key, by("a"))).toEqual({ state: "done", result: "result" });
    });

    test("a claim that ran out without a result says so, and is taken over only by one who wants it", async () => {
      const key = unique("key");
      await store.claim(key, by("a", { leaseMs: 1 }));
      const claimed = (takeOver: boolean) => other.claim(key, by("b", { takeOver }));
      await eventually(async () => (await claimed(false)).state === "expired");
      expect(await claimed(false)).toEqual({ state: "expired" });
      expect(await claimed(true)).toEqual({ state: "mine" });
      expect(await store.claim(key, by("a"))).toMatchObject({ state: "held" });
    });

    test("forgets claims and results after their time to live", async () => {
      const [claimed, done] = [unique("key"), unique("key")];
      await store.claim(claimed, by("a", { leaseMs: 1, ttlMs: 50 }));
      await store.store(done, "result", 50);
      const free = async (key: string) => (await other.claim(key, by("b", { takeOver: false }))).state === "mine";
      await eventually(async () => (await free(claimed)) && (await free(done)));
    });
  });
}
