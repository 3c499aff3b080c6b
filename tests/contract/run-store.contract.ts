import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NOTHING_YET, RUNS_KEPT, type BulkRun, type NewRun } from "../../runtime/run-store.ts";
import type { RunProgress, RunStore } from "../../runtime/run-store.ts";
import { eventually, unique } from "../support/probe.ts";

export interface StoreUnderTest {
  store: RunStore;
  /** What the same store is to another process. */
  other: RunStore;
}

/** Every promise of `runtime/run-store.ts`. */
export function runStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the run store ${name}`, () => {
    let store: RunStore;
    let other: RunStore;

    beforeAll(async () => {
      ({ store, other } = await open());
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
    });

    /** Claims until it is this run. */
    async function claimed(id: string, by: RunStore = store): Promise<string> {
      for (;;) {
        const token = unique("token");
        const run = await by.claim({ token, worker: "here-7" });
        if (run?.id === id) return token;
        expect(run).not.toBeNull();
      }
    }

    /** What is left of other tests is out of the way. */
    async function finishAll(): Promise<void> {
      for (;;) {
        const token = unique("token");
        const run = await store.claim({ token, worker: "cleaner" });
        if (!run) return;
        await store.finish(run.id, token, "done", NOTHING_YET);
      }
    }

    test("knows nothing of a run that was never added", async () => {
      const id = unique("id");
      expect(await store.get(id)).toBeNull();
      await store.stop(id);
      expect(await store.renew(id, "", NOTHING_YET)).toBeNull();
      await store.release(id, "", NOTHING_YET);
      await store.finish(id, "", "done", NOTHING_YET);
      expect(await store.get(id)).toBeNull();
    });

    test("has a run as it was asked for, with its time by the store's clock", async () => {
      const request = newRun({
        filter: { key: Buffer.from([0, 255, 128]), error: 'é "\u2028', ids: ["0-1", "2-117"], since: 5 },
        change: { from: "__proto__", route: ["A", "B"] },
        rate: 0.5,
        total: 17,
      });
      const added = await store.add(request);
      expect(added).toEqual({ ...request, ...NOTHING_YET, at: expect.any(Number), state: "running", worker: "" });
      expect(Math.abs(added.at - Date.now())).toBeLessThan(60_000);
      expect(await other.get(request.id)).toEqual(added);
      expect((await other.list())[0]).toEqual(added);
      await finishAll();
    });

    test("lists the newest first", async () => {
      const ids = [];
      for (let n = 0; n < 3; n++) ids.push((await (n === 1 ? store : other).add(newRun())).id);
      expect((await store.list()).slice(0, 3).map(({ id }) => id)).toEqual(ids.toReversed());
      await finishAll();
    });

    test("gives a run to one at a time, the oldest first, however many ask", async () => {
      const ids = [];
      for (let n = 0; n < 3; n++) ids.push((await store.add(newRun())).id);
      const asking = Array.from({ length: 6 }, (_, n) =>
        (n % 2 ? store : other).claim({ token: `token of w${n}`, worker: `w${n}` }),
      );
      const given = (await Promise.all(asking)).filter((run) => run !== null);
      expect(given.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
      const workers = given.map(({ worker }) => worker);
      expect(new Set(workers).size).toBe(3);
      expect((await other.get(given[0]!.id))!.worker).toBe(workers[0]);
      for (const { id, worker } of given) await store.finish(id, `token of ${worker}`, "done", NOTHING_YET);
    });

    test("keeps what its worker tells, and nothing of whoever lost it", async () => {
      const { id } = await store.add(newRun());
      const token = await claimed(id);
      expect(await store.renew(id, token, progress(3))).toBe("running");
      expect(await other.get(id)).toMatchObject({ ...progress(3), state: "running", worker: "here-7" });
      await store.release(id, token, progress(4));
      expect(await other.get(id)).toMatchObject({ ...progress(4), state: "running", worker: "" });

      const next = await claimed(id, other);
      expect(await store.renew(id, token, progress(9))).toBeNull();
      await store.release(id, token, progress(9));
      await store.finish(id, token, "failed", progress(9));
      expect(await other.get(id)).toMatchObject({ ...progress(4), state: "running", worker: "here-7" });
      await other.finish(id, next, "done", progress(5, ""));
      expect(await store.get(id)).toMatchObject({ ...progress(5, ""), state: "done", worker: "" });
      expect(await store.renew(id, next, progress(9))).toBeNull();
      expect(await store.claim({ token: unique("token"), worker: "w" })).toBeNull();
    });

    test("a run whose worker has fallen silent is given to the next when the lease is over, and not before", async () => {
      const { id } = await store.add(newRun());
      const silent = await claimed(id);
      expect(await other.claim({ token: unique("token"), worker: "w" })).toBeNull();
      let next: BulkRun | null = null;
      await eventually(async () => (next = await other.claim({ token: "next", worker: "w2" })) !== null);
      expect(next!).toMatchObject({ id, worker: "w2" });
      expect(await store.renew(id, silent, NOTHING_YET)).toBeNull();
      await other.finish(id, "next", "done", NOTHING_YET);
    });

    test("a run that is to stop says so to its worker, or to whoever takes it next; one that has ended stays as it is", async () => {
      const { id } = await store.add(newRun());
      const token = await claimed(id);
      await other.stop(id);
      expect(await store.renew(id, token, NOTHING_YET)).toBe("stopping");
      await store.release(id, token, NOTHING_YET);
      expect((await other.claim({ token: "last", worker: "w" }))!.state).toBe("stopping");
      await other.finish(id, "last", "stopped", NOTHING_YET);
      await store.stop(id);
      expect((await store.get(id))!.state).toBe("stopped");
    });

    test(`keeps ${RUNS_KEPT} runs, and never forgets one that has not ended`, async () => {
      const first = await store.add(newRun());
      const token = await claimed(first.id);
      const early = await store.add(newRun());
      await store.finish(early.id, await claimed(early.id), "done", NOTHING_YET);
      for (let n = 0; n < RUNS_KEPT; n++) {
        const { id } = await store.add(newRun());
        await store.finish(id, await claimed(id), "done", NOTHING_YET);
        if (n % 25 === 0) await store.renew(first.id, token, NOTHING_YET);
      }
      expect(await other.get(early.id)).toBeNull();
      expect(await other.list()).toHaveLength(RUNS_KEPT);
      expect(await store.renew(first.id, token, NOTHING_YET)).toBe("running");
      await store.finish(first.id, token, "done", NOTHING_YET);
    });
  });
}

const newRun = (other: Partial<NewRun> = {}): NewRun => ({
  id: unique("run"),
  letters: "0-117.1-20",
  actions: "0-3",
  action: "replay",
  filter: {},
  change: {},
  rate: 0,
  by: "ann",
  why: "",
  total: null,
  ...other,
});

const progress = (done: number, error = "Kafka is away"): RunProgress => ({
  report: { asked: 9, done, already: 1, failed: 1, failures: [{ letter: "0-7", why: "no topic" }] },
  error,
});
