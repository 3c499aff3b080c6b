import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ANNOUNCED_MS, halvingsAt, isKept, nextShare, type TripShare } from "../../runtime/trip-share.ts";

const share = (halvings: number, from = 0): TripShare => ({ from, halvings });
const ids = (count: number, kind: (n: number) => string) => Array.from({ length: count }, (_, n) => kind(n));
const KINDS: [name: string, kind: (n: number) => string][] = [
  ["places in a topic", (n) => `Source-${n % 4}-${n}`],
  ["UUIDs", () => crypto.randomUUID()],
  ["numbers", String],
];

describe.each(KINDS)("of ids that are %s", (_, kind) => {
  test.each([0, 1, 3, 6])("one of 2^%i is kept", (halvings) => {
    const many = ids(64_000, kind);
    const kept = many.filter((id) => isKept(id, halvings)).length;
    const expected = many.length / 2 ** halvings;
    expect(Math.abs(kept - expected)).toBeLessThanOrEqual(expected * 0.15);
  });
});

test("what a smaller share keeps, each larger one keeps too", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 0, max: 12 }), (id, halvings) => {
      if (isKept(id, halvings + 1)) expect(isKept(id, halvings)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("forks are kept with what they come from", () => {
  for (const id of ids(500, () => crypto.randomUUID())) {
    const kept = isKept(id, 3);
    expect([`${id}.1`, `${id}.2.13`].map((fork) => isKept(fork, 3))).toEqual([kept, kept]);
    const withDots = `v1.${id.slice(-6)}.x`;
    expect(isKept(`${withDots}.7`, 3)).toBe(isKept(withDots, 3));
  }
});

test("a message is measured by the share of when it boarded, whatever holds by now", () => {
  const shares = [share(3, 100), share(0, 200), share(5, 300)];
  expect([50, 100, 199, 200, 299, 300, 900].map((boarded) => halvingsAt(boarded, shares))).toEqual([
    3, 3, 3, 0, 0, 5, 5,
  ]);
  expect(isKept("id", halvingsAt(1, []))).toBe(false);
});

describe("the next share", () => {
  const keptOf = (perSecond: number, { halvings }: TripShare) => perSecond / 2 ** halvings;

  const next = (boarded: number, shares: readonly TripShare[], now: number) =>
    nextShare({ boarded, wanted: 50 }, shares, now);

  test.each([0, 1, 50, 51, 1_000, 80_000, 3_000_000])(
    "of %i messages a second keeps about as many as are wanted",
    (boarded) => {
      for (const wanted of [1, 50, 700]) {
        const first = nextShare({ boarded, wanted }, [], 1_000)!;
        expect(first.from).toBe(0);
        expect(keptOf(boarded, first)).toBeLessThanOrEqual(wanted);
        if (boarded > wanted) expect(keptOf(boarded, first)).toBeGreaterThan(wanted / 2);
      }
    },
  );

  test("is announced before it holds, one at a time", () => {
    const shares = [share(0)];
    const second = next(1_000, shares, 5_000)!;
    expect(second).toEqual({ from: 5_000 + ANNOUNCED_MS, halvings: 5 });
    expect(next(1_000_000, [...shares, second], 6_000)).toBe(null);
    expect(next(1_000, [...shares, second], 10_000)).toBe(null);
  });

  test("is larger only when the load has become clearly less, and comes to rest under any load", () => {
    expect(next(1_500, [share(5)], 1)).toBe(null);
    expect(next(790, [share(5)], 1)).toBe(null);
    expect(next(500, [share(5)], 1)).toEqual({ from: 1 + ANNOUNCED_MS, halvings: 4 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: 20 }), (perSecond, before) => {
        const first = next(perSecond, [share(before)], 1);
        if (first) expect(next(perSecond, [share(before), first], 1 + ANNOUNCED_MS + 1)).toBe(null);
      }),
    );
  });
});
