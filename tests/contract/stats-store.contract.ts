import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  MAX_DETAILS,
  SPANS,
  type Count,
  type Flush,
  type OutcomeKind,
  type Presence,
  type StatsStore,
  type StopFlush,
} from "../../runtime/stats-store.ts";
import { eventually, unique } from "../support/probe.ts";

export interface StoreUnderTest {
  store: StatsStore;
  /** What the same store is to another process. */
  other: StatsStore;
}

/** Every promise of `runtime/stats-store.ts`. */
export function statsStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the stats store ${name}`, () => {
    let store: StatsStore;
    let other: StatsStore;

    beforeAll(async () => {
      ({ store, other } = await open());
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
    });

    const stopOf = async (stop: string) => (await other.read()).stops.find((found) => found.stop === stop);

    test("knows nothing of a stop that never counted", async () => {
      expect(await stopOf(unique("Stop"))).toBeUndefined();
    });

    test("adds up what is written, whoever wrote it", async () => {
      const stop = unique("Stop");
      await store.write(
        flush(1, {
          ...empty(stop),
          counts: [count("forwarded", "Log", 3), count("dropped", "not on the list", 1)],
          worked: { 8: 2, 40: 2 },
          waited: { 0: 4 },
          from: [
            { stop: "", waited: { 0: 1 } },
            { stop: "Source", waited: { 0: 3 } },
          ],
          lastSeen: 1_700_000_000_500,
          gaps: 5,
        }),
      );
      await other.write(
        flush(1, {
          ...empty(stop),
          counts: [
            count("dropped", "not on the list", 4),
            count("arrived", "", 2),
            count("dead", "malformed: é", 1),
            count("later", "ECONNREFUSED", 6),
          ],
          worked: { 40: 1, 179: 1 },
          from: [{ stop: "Source", waited: { 0: 2, 5: 1 } }],
          lastSeen: 1_700_000_000_400,
          gaps: 2,
        }),
      );
      expect(await stopOf(stop)).toEqual({
        stop,
        processed: 11,
        forwarded: 3,
        dropped: 5,
        arrived: 2,
        dead: 1,
        later: 6,
        counts: [
          count("later", "ECONNREFUSED", 6),
          count("dropped", "not on the list", 5),
          count("forwarded", "Log", 3),
          count("arrived", "", 2),
          count("dead", "malformed: é", 1),
        ].map((each) => ({ ...each, rate: expect.any(Number) as number })),
        rate: expect.any(Number),
        lastSeen: 1_700_000_000_500,
        worked: { 8: 2, 40: 3, 179: 1 },
        waited: { 0: 4 },
        from: expect.arrayContaining([
          { stop: "", waited: { 0: 1 } },
          { stop: "Source", waited: { 0: 5, 5: 1 } },
        ]),
        gaps: 7,
        breaker: { openings: 0, openSince: 0 },
      });
      expect((await store.read()).counter[stop]).toBe(11);
    });

    test("counts a write once, however often it comes", async () => {
      const stop = unique("Stop");
      const first = flush(1, { ...empty(stop), counts: [count("arrived", "", 10)], worked: { 1: 1 }, gaps: 1 });
      await Promise.all([store.write(first), other.write(first), store.write(first)]);
      const second = { ...first, sequence: 2 };
      await store.write(second);
      await store.write(first);
      await other.write(second);
      expect(await stopOf(stop)).toMatchObject({ processed: 20, worked: { 1: 2 }, gaps: 2 });
      expect((await store.read()).counter[stop]).toBe(20);
    });

    test("ends with the sum of all writes, in any order of processes, with any repeats", async () => {
      const outcome = fc.constantFrom<OutcomeKind>("forwarded", "dropped", "arrived", "dead", "later");
      const counts = fc.array(
        fc.record({ outcome, detail: fc.constantFrom("a", "b: c", ""), count: fc.integer({ min: 1, max: 1_000_000 }) }),
        { maxLength: 5 },
      );
      const write = fc.record({ by: fc.constantFrom(0, 1, 2), counts, repeats: fc.integer({ min: 1, max: 3 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(write, { minLength: 1, maxLength: 8 }), async (writes) => {
          const stop = unique("Stop");
          const instances = [0, 1, 2].map(() => ({ instance: unique("instance"), sequence: 0 }));
          let truth = 0;
          for (const { by, counts, repeats } of writes) {
            const { instance } = instances[by]!;
            const next = { ...flush(++instances[by]!.sequence, { ...empty(stop), counts }), instance };
            for (let time = 0; time < repeats; time++) await (time % 2 ? other : store).write(next);
            truth += counts.reduce((sum, { outcome, count }) => sum + (outcome === "later" ? 0 : count), 0);
          }
          expect(await stopOf(stop)).toMatchObject({ processed: truth });
        }),
        { numRuns: 20 },
      );
    });

    test(`keeps ${MAX_DETAILS} details apart and counts the others together`, async () => {
      const stop = unique("Stop");
      const many = Array.from({ length: MAX_DETAILS + 20 }, (_, n) => count("dropped", `reason ${n}`, 1));
      await store.write(flush(1, { ...empty(stop), counts: many }));
      await store.write(flush(1, { ...empty(stop), counts: [count("dropped", "reason 0", 50)] }));
      const found = (await stopOf(stop))!;
      expect(found.dropped).toBe(MAX_DETAILS + 70);
      expect(found.counts).toHaveLength(MAX_DETAILS + 1);
      expect(found.counts.slice(0, 2)).toMatchObject([count("dropped", "reason 0", 51), count("dropped", "other", 20)]);
    });

    test("has stops and reasons with names that every object has", async () => {
      const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
      const before = await store.read();
      const counts = names.map((name) => count("dropped", name, 2));
      await store.write(flush(1, ...names.map((name) => ({ ...empty(name), counts }))));
      const { counter, stops } = await other.read();
      for (const name of names) {
        const earlier = before.stops.find(({ stop }) => stop === name)?.processed ?? 0;
        const found = stops.find(({ stop }) => stop === name)!;
        expect(found).toMatchObject({ processed: earlier + 8, dropped: earlier + 8 });
        expect(found.rate).toBeGreaterThanOrEqual(0);
        expect(found.counts.map(({ detail }) => detail).toSorted()).toEqual(names.toSorted());
        expect(Object.entries(counter)).toContainEqual([name, earlier + 8]);
      }
    });

    test("names the stops in order", async () => {
      const names = ["b", "C", "a"].map((word) => unique(word));
      await store.write(flush(1, ...names.map(empty)));
      const found = (await other.read()).stops.map(({ stop }) => stop).filter((stop) => names.includes(stop));
      expect(found).toEqual(names.toSorted());
    });

    test("has the rate of the last full seconds, and then none", async () => {
      const stop = unique("Stop");
      const counts = [count("arrived", "", 300), count("dropped", "why: so", 200)];
      await store.write(flush(1, { ...empty(stop), counts }));
      await eventually(async () => (await stopOf(stop))!.rate === 100);
      expect((await stopOf(stop))!.counts.map(({ rate }) => rate)).toEqual([60, 40]);
      await eventually(async () => (await stopOf(stop))!.rate === 0);
      expect((await stopOf(stop))!.counts.map(({ rate }) => rate)).toEqual([0, 0]);
      expect(await stopOf(stop)).toMatchObject({ processed: 500 });
    });

    test("what was counted over a long time, while the store was away, is not the rate of one second", async () => {
      const stop = unique("Stop");
      const late = flush(1, { ...empty(stop), counts: [count("arrived", "", 30_000)] });
      await store.write({ ...late, coversMs: 60_000 });
      await eventually(async () => (await stopOf(stop))!.rate === 100);
      expect(await stopOf(stop)).toMatchObject({ processed: 30_000 });
    });

    test("has the history of a stop, what it did in each step, and what all did of late", async () => {
      const [stop, silent] = [unique("Stop"), unique("Silent")];
      const step = async () => Math.floor((await store.read()).at / SPANS["15m"].stepMs);
      const write = (dropped: number, waited: number, by: StatsStore = store) =>
        by.write(
          flush(1, {
            ...empty(stop),
            counts: [count("dropped", "why", dropped), count("forwarded", "Log", 1)],
            worked: { [waited]: 2 },
            waited: { [waited]: 1 },
            from: [{ stop: "Source", waited: { [waited]: 1 } }],
          }),
        );
      // All of a step's writes lie in it: not when it is about to end.
      await eventually(async () => (await store.read()).at % SPANS["15m"].stepMs < 5_000);
      const first = await step();
      await write(3, 5);
      await write(4, 9, other);
      expect(await step()).toBe(first);
      await eventually(async () => (await step()) > first);
      await write(10, 5);
      const steps = await other.history(stop, "15m");
      const nothing = { counts: [], worked: {}, waited: {}, from: [] };
      expect(steps).toHaveLength(SPANS["15m"].steps);
      expect(steps.map(({ at }) => at / SPANS["15m"].stepMs)).toEqual(
        Array.from({ length: SPANS["15m"].steps }, (_, back) => first + 2 - SPANS["15m"].steps + back),
      );
      expect(steps.slice(-3)).toMatchObject([
        nothing,
        {
          counts: expect.arrayContaining([count("dropped", "why", 7), count("forwarded", "Log", 2)]),
          worked: { 5: 2, 9: 2 },
          waited: { 5: 1, 9: 1 },
          from: [{ stop: "Source", waited: { 5: 1, 9: 1 } }],
        },
        {
          counts: expect.arrayContaining([count("dropped", "why", 10), count("forwarded", "Log", 1)]),
          worked: { 5: 2 },
        },
      ]);
      for (const span of ["6h", "24h"] as const) {
        const all = (await store.history(stop, span)).flatMap(({ counts }) => counts);
        expect(all.reduce((sum, each) => sum + each.count, 0)).toBe(20);
      }
      expect(await store.history(silent, "24h")).toEqual(
        Array.from({ length: SPANS["24h"].steps }, () => ({ at: expect.any(Number), ...nothing })),
      );
      const { quarter, minute } = await other.recent();
      const { at } = await store.read();
      expect(at - quarter.since).toBeGreaterThan(11 * 60_000);
      expect(at - quarter.since).toBeLessThan(17 * 60_000);
      expect(at - minute.since).toBeGreaterThanOrEqual(60_000);
      expect(at - minute.since).toBeLessThan(80_000);
      expect(quarter.stops.get(stop)).toEqual({
        counts: expect.arrayContaining([count("dropped", "why", 17), count("forwarded", "Log", 3)]),
        from: [{ stop: "Source", waited: { 5: 2, 9: 1 } }],
      });
      expect(minute.stops.get(stop)).toEqual(quarter.stops.get(stop));
      expect(quarter.stops.has(silent) || minute.stops.has(silent)).toBe(false);
    });

    test("knows since when a breaker is open, in any process, and how often it opened", async () => {
      const stop = unique("Stop");
      const [one, two] = [unique("instance"), unique("instance")];
      const at = (await store.read()).at;
      const tell = (instance: string, sequence: number, openings: number, openSince: number) =>
        store.write({ ...flush(sequence, { ...empty(stop), breaker: { openings, openSince } }), instance });
      const told = async () => (await stopOf(stop))!.breaker;
      await tell(one, 1, 1, at - 5_000);
      await tell(two, 1, 1, at - 60_000);
      expect(await told()).toEqual({ openings: 2, openSince: at - 60_000 });
      await tell(two, 2, 0, 0);
      expect(await told()).toEqual({ openings: 2, openSince: at - 5_000 });
      await tell(one, 2, 0, 0);
      expect(await told()).toEqual({ openings: 2, openSince: 0 });
    });

    test("forgets the open breaker of a process that has fallen silent, not that of one that goes on telling", async () => {
      const stop = unique("Stop");
      const [dead, alive] = [unique("instance"), unique("instance")];
      let sequence = 0;
      const tell = (instance: string, openSince: number) =>
        store.write({ ...flush(++sequence, { ...empty(stop), breaker: { openings: 0, openSince } }), instance });
      await tell(dead, 1_000);
      await eventually(async () => {
        await tell(alive, 2_000);
        return (await stopOf(stop))!.breaker.openSince === 2_000;
      });
      await eventually(async () => (await stopOf(stop))!.breaker.openSince === 0);
    });

    test("knows the processes that tell of themselves, until they end or fall silent", async () => {
      const [ending, silent, telling] = [unique("a"), unique("b"), unique("c")];
      const sequences = new Map<string, number>();
      const tell = (instance: string, told: Presence) => {
        const sequence = (sequences.get(instance) ?? 0) + 1;
        sequences.set(instance, sequence);
        return store.write({ ...flush(sequence), instance, presence: told });
      };
      const there = async () => (await other.read()).instances.filter(({ instance }) => sequences.has(instance));
      await tell(telling, presence("Telling"));
      await tell(ending, presence("Ending"));
      await tell(silent, presence("Silent"));
      const { at, instances } = await other.read();
      const [first, ...rest] = await there();
      expect(first).toEqual({ instance: ending, seenAt: expect.any(Number), ...presence("Ending") });
      expect(Math.abs(first!.seenAt - at)).toBeLessThan(5_000);
      expect(rest.map(({ instance }) => instance)).toEqual([silent, telling]);
      expect(instances.map(({ instance }) => instance)).toEqual(instances.map(({ instance }) => instance).toSorted());

      await tell(ending, { ...presence(""), stops: [] });
      expect((await there()).map(({ instance }) => instance)).toEqual([silent, telling]);
      await eventually(async () => {
        await tell(telling, presence("Telling"));
        return (await there()).length === 1;
      });
      expect((await there())[0]).toMatchObject({ instance: telling, stops: [{ stop: "Telling" }] });
      const vanished = (await other.read()).vanished.filter(({ instance }) => sequences.has(instance));
      expect(vanished).toEqual([{ instance: silent, seenAt: expect.any(Number), ...presence("Silent") }]);

      await tell(silent, presence("Silent"));
      expect((await there()).map(({ instance }) => instance)).toEqual([silent, telling]);
      expect((await other.read()).vanished.some(({ instance }) => instance === silent)).toBe(false);
    });

    test("tells every process which stops are paused, and everybody by whom", async () => {
      const stop = unique("__proto__");
      const orders = async () => (await store.write(flush(1))).paused.includes(stop);
      expect(await orders()).toBe(false);
      await other.pause(stop, "ann");
      await other.pause(stop, "joe");
      expect(await orders()).toBe(true);
      const { at, pauses } = await store.read();
      expect(pauses.get(stop)).toEqual({ by: "ann", at: expect.any(Number) });
      expect(Math.abs(pauses.get(stop)!.at - at)).toBeLessThan(60_000);
      const again = flush(1);
      expect((await Promise.all([store.write(again), other.write(again)])).map(({ paused }) => paused)).toEqual([
        expect.arrayContaining([stop]),
        expect.arrayContaining([stop]),
      ]);
      await other.resume(stop);
      await other.resume(stop);
      expect(await orders()).toBe(false);
      expect((await store.read()).pauses.has(stop)).toBe(false);
    });

    test("counts openings of the page", async () => {
      const before = (await store.read()).hits;
      expect([await store.hit(), await other.hit()]).toEqual([before + 1, before + 2]);
      expect((await store.read()).hits).toBe(before + 2);
    });

    test("says what time it is", async () => {
      const { at } = await store.read();
      expect(Math.abs(at - Date.now())).toBeLessThan(60_000);
    });
  });
}

const count = (outcome: OutcomeKind, detail: string, number: number): Count => ({ outcome, detail, count: number });

const empty = (stop: string): StopFlush => ({
  stop,
  counts: [],
  worked: {},
  waited: {},
  from: [],
  lastSeen: 1,
  gaps: 0,
});

const presence = (stop: string): Presence => ({
  host: "here",
  pid: 7,
  version: "1.2.3",
  startedAt: 1_700_000_000_000,
  stops: [
    {
      stop,
      group: `metrobus.${stop}`,
      delivery: "exactly-once",
      paused: true,
      problems: [],
      lanes: [{ lane: "0", position: 5, end: 7, movedAt: 1_700_000_000_001, standingMs: 1_250, growth: -2.5 }],
    },
  ],
});

/** By an instance of its own. */
const flush = (sequence: number, ...stops: StopFlush[]): Flush => ({
  instance: unique("instance"),
  sequence,
  coversMs: 250,
  stops,
});
