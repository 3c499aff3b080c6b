import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  BOARDING_SECONDS,
  FAILED_KEPT,
  FAILURES_KEPT,
  SHARES_KEPT,
  TRIPS_OF_KEY,
  VISITS_KEPT,
  type TripBounds,
  type TripNote,
  type TripReport,
  type TripStore,
  type TripVisit,
} from "../../runtime/trip-store.ts";
import { eventually, unique } from "../support/probe.ts";

export interface StoreUnderTest {
  store: TripStore;
  /** What the same store is to another process. */
  other: TripStore;
}

type Bounds = Omit<TripBounds, "perSecond">;
const BOUNDS = { keepMs: 3_600_000, most: 2_000 };

/** Every promise of `runtime/trip-store.ts`. */
export function tripStoreContract(name: string, open: (bounds: Bounds) => Promise<StoreUnderTest>): void {
  describe(`the trip store ${name}`, () => {
    let store: TripStore;
    let other: TripStore;

    beforeAll(async () => {
      ({ store, other } = await open(BOUNDS));
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
    });

    test("knows nothing of a message that was never recorded", async () => {
      expect(await store.trip(unique("id"))).toBeNull();
      expect(await store.newest(10, unique("key"))).toEqual([]);
      expect(await store.failures(unique("Stop"))).toEqual({ visits: [], notKept: 0 });
    });

    test("has a message's visits as they were, in the order in which it made them, whoever recorded them", async () => {
      const id = unique("id");
      const error = { name: "RangeError", message: 'é "\u2028' };
      const first = visit({ stop: "A", detail: "B", payload: '{"n":1}' });
      const second = visit({ stop: "B", from: "A", at: first.at + 1, outcome: "dead", detail: "RangeError", error });
      await store.record(report([note(id, [second], { key: "ключ", header: '{"id":"later"}' }), note(unique("id"))]));
      await other.record(report([note(id, [first], { key: "ключ", header: '{"id":"earlier"}' })]));
      await other.record(report([note(id, [second], { key: "ключ" })]));
      const trip = { id, key: "ключ", boarded: BOARDED, header: '{"id":"later"}', visits: [first, second] };
      expect(await other.trip(id)).toEqual(trip);
    });

    test("has ids with names that every object has", async () => {
      for (const id of ["__proto__", "constructor"]) {
        await store.record(report([note(id)]));
        expect(await other.trip(id)).toMatchObject({ id, key: null, header: "", visits: [visit()] });
      }
    });

    test("knows the newest trips, those of a key, and those that failed, newest first", async () => {
      const ids = ["a", "b", "c", "d"].map(unique);
      const key = unique("key");
      for (const [at, id] of ids.entries()) {
        const outcome = ({ 1: "dead", 3: "later" } as const)[at] ?? "forwarded";
        await store.record(report([note(id, [visit({ outcome })], { key: at < 3 ? key : null })]));
        const written = Date.now();
        await eventually(() => Date.now() > written);
      }
      await store.record(report([note(ids[0]!, [visit({ stop: "B" })], { key })]));
      expect(await other.newest(3)).toEqual(ids.slice(1).toReversed());
      expect(await other.newest(10, key)).toEqual(ids.slice(0, 3).toReversed());
      expect(await other.failed(2)).toEqual([ids[3], ids[1]]);
      const many = Array.from({ length: TRIPS_OF_KEY + 5 }, () => note(unique("id"), [visit()], { key }));
      await store.record(report(many));
      expect(await other.newest(1_000, key)).toHaveLength(TRIPS_OF_KEY);
    });

    test(`keeps ${VISITS_KEPT} visits of a trip, the first ones`, async () => {
      const id = unique("id");
      const many = Array.from({ length: VISITS_KEPT + 10 }, (_, n) => visit({ at: BOARDED + n }));
      await store.record(report([note(id, many)]));
      expect((await store.trip(id))!.visits).toEqual(many.slice(0, VISITS_KEPT));
    });

    test(`knows the newest ${FAILURES_KEPT} that failed at a stop, with their messages, and how many were not kept`, async () => {
      const stop = unique("Stop");
      const failed = Array.from({ length: FAILURES_KEPT + 5 }, (_, n) =>
        visit({ stop, outcome: "dead", detail: "Error", error: { name: "Error", message: `no ${n}` } }),
      );
      for (const [n, each] of failed.entries()) await store.record(report([note(`${stop}-${n}`, [visit(), each])]));
      await store.record(report([note(`${stop}-0`, [failed[0]!])], { notKept: { [stop]: 3 } }));
      await other.record(report([], { notKept: { [stop]: 4 } }));
      const { visits, notKept } = await other.failures(stop);
      expect(visits.map(({ error }) => error!.message)).toEqual(
        failed
          .slice(5)
          .toReversed()
          .map(({ error }) => error!.message),
      );
      expect(visits[0]).toEqual({ id: `${stop}-${FAILURES_KEPT + 4}`, key: null, boarded: BOARDED, ...failed.at(-1)! });
      expect(notKept).toBe(7);
    });

    test("tells everybody which messages are recorded, and takes each next share once", async () => {
      const { shares } = await store.record(report([]));
      const last = shares.at(-1);
      const next = { from: (last?.from ?? 0) + 10, halvings: 3 };
      await store.announce(next, last);
      await other.announce({ from: next.from, halvings: 9 }, last);
      expect((await other.record(report([]))).shares).toEqual([...shares, next].slice(-SHARES_KEPT));
      let before = next;
      for (let n = 1; n <= SHARES_KEPT + 1; n++) {
        const share = { from: next.from + n, halvings: n % 3 };
        await other.announce(share, before);
        before = share;
      }
      const kept = (await store.record(report([]))).shares;
      expect(kept).toHaveLength(SHARES_KEPT);
      expect(kept.at(-1)).toEqual(before);
    });

    test("tells how many messages board a second, of all processes; of those that were counted for long a second's part", async () => {
      await store.record(report([], { boarded: 40 * BOARDING_SECONDS }));
      await other.record(report([], { boarded: 20_000 * BOARDING_SECONDS, coversMs: 10_000 }));
      const rate = async () => (await store.record(report([]))).boardedPerSecond;
      await eventually(async () => (await rate()) === 2_040);
      await eventually(async () => (await rate()) === 0);
    });

    test("forgets a trip when it has been kept for as long as it is to be", async () => {
      const brief = await open({ ...BOUNDS, keepMs: 300 });
      const id = unique("brief");
      await brief.store.record(report([note(id, [visit()])]));
      expect(await brief.other.newest(10)).toContain(id);
      await eventually(async () => (await brief.other.trip(id)) === null);
      await brief.store.record(report([]));
      expect(await brief.other.newest(10)).not.toContain(id);
      await Promise.all([brief.store.close(), brief.other.close()]);
    });

    test("forgets the oldest when there are too many: of those that failed by their own number", async () => {
      const run = unique("run");
      const ids = (kind: string, count: number) => Array.from({ length: count }, (_, n) => `${run}-${kind}-${n}`);
      const recordAll = async (of: readonly string[], other: Partial<TripVisit>) => {
        for (let from = 0; from < of.length; from += 1_000)
          await store.record(report(of.slice(from, from + 1_000).map((id) => note(id, [visit(other)]))));
      };
      const [bad, good] = [ids("bad", FAILED_KEPT), ids("good", BOUNDS.most + 100)];
      await recordAll(bad, { outcome: "dead", detail: "Error" });
      await recordAll(good, {});
      expect(await other.newest(BOUNDS.most * 2)).not.toContain(good[0]);
      expect(await other.trip(good[0]!)).toBeNull();
      expect(await other.trip(good.at(-1)!)).not.toBeNull();
      expect(await other.trip(bad[0]!)).not.toBeNull();
      await recordAll(ids("worse", 10), { outcome: "dead", detail: "Error" });
      expect(await other.trip(bad[0]!)).toBeNull();
      expect(await other.failed(FAILED_KEPT * 2)).toHaveLength(FAILED_KEPT);
    });
  });
}

const BOARDED = 1_700_000_000_000;

const report = (notes: readonly TripNote[], other: Partial<TripReport> = {}): TripReport => ({
  notes,
  boarded: 0,
  coversMs: 500,
  notKept: {},
  ...other,
});

const note = (id: string, visits: readonly TripVisit[] = [visit()], other: Partial<TripNote> = {}): TripNote => ({
  id,
  key: null,
  boarded: BOARDED,
  visits,
  ...other,
});

const visit = (other: Partial<TripVisit> = {}): TripVisit => ({
  stop: "A",
  from: "",
  instance: "here-7",
  partition: "0",
  offset: "17",
  at: BOARDED + 1,
  waitedMs: 1.5,
  workedMs: 0.25,
  attempt: 1,
  outcome: "forwarded",
  detail: "B",
  ...other,
});
