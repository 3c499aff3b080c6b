import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  FAILED_KEPT,
  TRIPS_KEPT,
  TRIPS_OF_KEY,
  VISITS_KEPT,
  type TripStore,
  type TripVisit,
} from "../../runtime/trip-store.ts";
import { eventually, unique } from "../support/probe.ts";

export interface StoreUnderTest {
  store: TripStore;
  /** What the same store is to another process. */
  other: TripStore;
}

/** Every promise of `runtime/trip-store.ts`. */
export function tripStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the trip store ${name}`, () => {
    let store: TripStore;
    let other: TripStore;

    beforeAll(async () => {
      ({ store, other } = await open());
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
    });

    test("knows nothing of a message that was never recorded", async () => {
      expect(await store.trip(unique("id"))).toEqual([]);
      expect(await store.newest(10, unique("key"))).toEqual([]);
    });

    test("has a message's visits as they were, in the order in which they came, whoever recorded them", async () => {
      const id = unique("id");
      const error = { name: "RangeError", message: 'é "\u2028' };
      const first = visit(id, { stop: "A", detail: "B", payload: '{"n":1}', key: "ключ" });
      const second = visit(id, { stop: "B", from: "A", outcome: "dead", detail: "RangeError", error });
      await store.record([first, visit(unique("id"))]);
      await other.record([second]);
      expect(await other.trip(id)).toEqual([first, second]);
    });

    test("has ids with names that every object has", async () => {
      for (const id of ["__proto__", "constructor"]) {
        await store.record([visit(id)]);
        expect(await other.trip(id)).toContainEqual(visit(id));
      }
    });

    test("knows the newest trips, those of a key, and those that failed, newest first", async () => {
      const ids = ["a", "b", "c", "d"].map(unique);
      const key = unique("key");
      for (const [at, id] of ids.entries()) {
        const outcome = ({ 1: "dead", 3: "later" } as const)[at] ?? "forwarded";
        await store.record([visit(id, { outcome, key: at < 3 ? key : null })]);
        const written = Date.now();
        await eventually(() => Date.now() > written);
      }
      await store.record([visit(ids[0]!, { stop: "B" })]);
      expect(await other.newest(3)).toEqual(ids.slice(1).toReversed());
      expect(await other.newest(10, key)).toEqual(ids.slice(0, 3).toReversed());
      expect(await other.failed(2)).toEqual([ids[3], ids[1]]);
      const many = Array.from({ length: TRIPS_OF_KEY + 5 }, () => visit(unique("id"), { key }));
      await store.record(many);
      expect(await other.newest(1_000, key)).toHaveLength(TRIPS_OF_KEY);
    });

    test(`keeps ${VISITS_KEPT} visits of a trip, the first ones`, async () => {
      const id = unique("id");
      const many = Array.from({ length: VISITS_KEPT + 10 }, (_, n) => visit(id, { offset: String(n) }));
      await store.record(many);
      expect(await store.trip(id)).toEqual(many.slice(0, VISITS_KEPT));
    });

    test("forgets the oldest when there are too many: of those that failed by their own number", async () => {
      const run = unique("run");
      const ids = (kind: string, count: number) => Array.from({ length: count }, (_, n) => `${run}-${kind}-${n}`);
      const recordAll = async (of: readonly string[], other: Partial<TripVisit>) => {
        for (let from = 0; from < of.length; from += 1_000)
          await store.record(of.slice(from, from + 1_000).map((id) => visit(id, other)));
      };
      const [bad, good] = [ids("bad", FAILED_KEPT), ids("good", TRIPS_KEPT + 100)];
      await recordAll(bad, { outcome: "dead", detail: "Error" });
      await recordAll(good, {});
      expect(await other.newest(TRIPS_KEPT * 2)).not.toContain(good[0]);
      expect(await other.trip(good[0]!)).toEqual([]);
      expect(await other.trip(good.at(-1)!)).toHaveLength(1);
      expect(await other.trip(bad[0]!)).toHaveLength(1);
      await recordAll(ids("worse", 10), { outcome: "dead", detail: "Error" });
      expect(await other.trip(bad[0]!)).toEqual([]);
      expect(await other.failed(FAILED_KEPT * 2)).toHaveLength(FAILED_KEPT);
    });
  });
}

const visit = (id: string, other: Partial<TripVisit> = {}): TripVisit => ({
  id,
  key: null,
  boarded: 1_700_000_000_000,
  stop: "A",
  from: "",
  instance: "here-7",
  partition: "0",
  offset: "17",
  at: 1_700_000_000_001,
  waitedMs: 1.5,
  workedMs: 0.25,
  attempt: 1,
  outcome: "forwarded",
  detail: "B",
  ...other,
});
