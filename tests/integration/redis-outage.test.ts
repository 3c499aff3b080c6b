import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { statsRecorder } from "../../runtime/stats-recorder.ts";
import { redisStats } from "../../runtime/stats-stores/redis.ts";
import { eventually, unique } from "../support/probe.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";

describe.skipIf(inject("redis") === null)("counting while Redis is gone (needs Docker)", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.remove());

  /** A stop that counts messages all the time, in the event loop's every turn. */
  function underLoad() {
    const stop = unique("Stop");
    const store = redisStats({ url: redis.url, log: { debug: () => undefined } });
    const warned: string[] = [];
    const informed: string[] = [];
    const log = { warn: (line: string) => warned.push(line), info: (line: string) => informed.push(line) };
    const recorder = statsRecorder(store, { instance: unique("instance"), log: log as never, flushEveryMs: 50 });
    const load = { counted: 0, on: true };
    const ended = (async () => {
      while (load.on) {
        for (let n = 0; n < 10; n++) recorder.count(stop, n < 7 ? "forwarded" : "dropped", n < 7 ? "Log" : "reason");
        recorder.times(stop, 1, 1, "Source");
        load.counted += 10;
        await new Promise(setImmediate);
      }
    })();
    const more = () => {
      const reached = load.counted + 10_000;
      return eventually(() => load.counted > reached);
    };
    const written = async () => (await store.read()).counter[stop] ?? 0;
    const finish = async () => {
      load.on = false;
      await ended;
      await recorder.close(Date.now() + 30_000);
      const snapshot = await store.read();
      await store.close();
      return { counter: snapshot.counter[stop], stop: snapshot.stops.find((found) => found.stop === stop) };
    };
    return { load, more, written, finish, warned, informed };
  }

  const whole = (counted: number) => ({
    counter: counted,
    stop: {
      processed: counted,
      forwarded: (counted / 10) * 7,
      dropped: (counted / 10) * 3,
      waited: { 39: counted / 10 },
    },
  });

  test("stopped and started again: every count is there, once; reported once", async () => {
    const run = underLoad();
    await eventually(async () => (await run.written()) > 0);
    await redis.stop();
    await eventually(() => run.warned.length > 0);
    await run.more();
    await redis.start();
    await eventually(() => run.informed.length > 0);
    await run.more();
    expect(await run.finish()).toMatchObject(whole(run.load.counted));
    expect(run.warned).toEqual([expect.stringContaining(redis.url)]);
    expect(run.informed).toHaveLength(1);
  });

  test("hung: what it had got and not answered counts once; counting goes on", async () => {
    const run = underLoad();
    await eventually(async () => (await run.written()) > 0);
    await redis.hang();
    await eventually(() => run.warned.length > 0);
    await run.more();
    await redis.goOn();
    await eventually(() => run.informed.length > 0);
    await run.more();
    expect(await run.finish()).toMatchObject(whole(run.load.counted));
    expect(run.warned).toHaveLength(1);
    expect(run.informed).toHaveLength(1);
  });

  test("not there at the start: counting begins, and is written when it comes", async () => {
    await redis.stop();
    const run = underLoad();
    await eventually(() => run.warned.length > 0);
    await run.more();
    await redis.start();
    await eventually(() => run.informed.length > 0);
    expect(await run.finish()).toMatchObject(whole(run.load.counted));
  });
});
