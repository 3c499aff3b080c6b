import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Unavailable } from "../../runtime/errors.ts";
import type { Flush } from "../../runtime/stats-store.ts";
import { statsRecorder } from "../../runtime/stats-recorder.ts";
import { redisStats } from "../../runtime/stats-stores/redis.ts";
import { freePort } from "../support/docker.ts";
import { unique } from "../support/probe.ts";

const log = { debug: () => undefined };
const server = inject("redis");

describe.skipIf(server === null)("counts in Redis (needs Docker)", () => {
  // A database of its own, which this file may break.
  const url = `${server ?? "redis://none"}/2`;
  const raw = createClient({ url });
  const store = redisStats({ url, log });
  beforeAll(() => raw.connect());
  afterAll(async () => {
    await store.close();
    raw.destroy();
  });

  test("a Python stop's counts and metrobus's are one hash of integers", async () => {
    const stop = unique("Log");
    await raw.hIncrBy("counter", stop, 1);
    await store.write(flush(stop, 41));
    expect(await raw.hGet("counter", stop)).toBe("42");
    expect((await store.read()).counter[stop]).toBe(42);
    await raw.incr("hits");
    expect(await store.hit()).toBe(Number(await raw.get("hits")));
  });

  test("a Redis that has forgotten the script is given it again", async () => {
    const stop = unique("Log");
    await store.write(flush(stop, 1));
    await raw.scriptFlush();
    await store.write(flush(stop, 2));
    expect(await raw.hGet("counter", stop)).toBe("3");
  });

  test("only totals stay: seconds and sequence numbers expire", async () => {
    await store.write(flush(unique("Log"), 1));
    const lasting = new Set(["counter", "hits", "metrobus:stops"]);
    for (const key of await raw.keys("*")) {
      if (lasting.has(key) || key.startsWith("metrobus:stop:")) continue;
      expect([key, await raw.ttl(key)]).toEqual([key, expect.toSatisfy((ttl: number) => ttl > 0)]);
    }
    expect((await raw.keys("metrobus:rate:*")).length).toBeGreaterThan(0);
  });

  test("what was done of late is that of a minute, and of a quarter of an hour", async () => {
    const stop = unique("Log");
    await store.write(flush(stop, 3));
    // As if a hundred seconds had gone by.
    for (const key of await raw.keys(`metrobus:history:10:*:${stop}`)) {
      const step = Number(key.split(":")[3]);
      await raw.rename(key, `metrobus:history:10:${step - 10}:${stop}`);
    }
    const { quarter, minute } = await store.recent();
    expect(quarter.stops.get(stop)?.counts).toEqual([{ outcome: "arrived", detail: "", count: 3 }]);
    expect(minute.stops.has(stop)).toBe(false);
    await store.write(flush(stop, 4));
    const later = await store.recent();
    expect(later.quarter.stops.get(stop)?.counts).toEqual([{ outcome: "arrived", detail: "", count: 7 }]);
    expect(later.minute.stops.get(stop)?.counts).toEqual([{ outcome: "arrived", detail: "", count: 4 }]);
  });

  test("a counter that is no hash changes nothing, and counts when it is mended", async () => {
    const stop = unique("Log");
    const next = flush(stop, 5);
    await raw.rename("counter", "aside");
    await raw.set("counter", "someone else's");
    await expect(store.write(next)).rejects.toThrow(/WRONGTYPE.*another database in REDIS_URL/);
    await raw.rename("aside", "counter");
    await store.write(next);
    expect((await store.read()).stops.find((found) => found.stop === stop)?.processed).toBe(5);
  });

  test("what somebody else has written to a key leaves all as it was, and counts once when that is mended", async () => {
    const [good, bad] = [unique("a"), unique("b")];
    const both = {
      ...flush(good, 3),
      stops: [good, bad].flatMap((stop) => flush(stop, 3).stops),
    };
    const broken = async (): Promise<void> => {
      await expect(store.write(both)).rejects.toThrow(Unavailable);
      expect(await raw.hGet("counter", good)).toBeNull();
    };
    await raw.hSet("counter", bad, "many");
    await broken();
    await raw.hDel("counter", bad);
    await raw.set(`metrobus:stop:${bad}`, "text");
    await broken();
    await raw.del(`metrobus:stop:${bad}`);
    await store.write(both);
    const processed = Object.fromEntries((await store.read()).stops.map((each) => [each.stop, each.processed]));
    expect(processed).toMatchObject({ [good]: 3, [bad]: 3 });
    expect(await raw.hmGet("counter", [good, bad])).toEqual(["3", "3"]);
  });

  test("no reason that a callback gives keeps the others from being counted", async () => {
    const stop = unique("Log");
    const recorder = statsRecorder(store, { instance: unique("instance"), log: { warn: fail, info: fail } as never });
    for (const reason of ["bad \ud83d", null, "r".repeat(1_000_000)]) recorder.count(stop, "dropped", reason as string);
    recorder.count(stop, "arrived", "");
    await recorder.close();
    expect((await store.read()).stops.find((found) => found.stop === stop)).toMatchObject({
      processed: 4,
      arrived: 1,
      counts: expect.arrayContaining([
        { outcome: "dropped", detail: "bad \ufffd", count: 1, rate: 0 },
        { outcome: "dropped", detail: "null", count: 1, rate: 0 },
        { outcome: "dropped", detail: "r".repeat(256), count: 1, rate: 0 },
      ]),
    });
  });

  test("a connection that was cut is made again by the next question", async () => {
    await store.read();
    const killed = (await raw.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])) as unknown as number;
    expect(killed).toBeGreaterThan(0);
    const outcomes = [];
    for (let time = 0; time < 2; time++)
      outcomes.push(
        await store.read().then(
          () => true,
          (error: unknown) => error,
        ),
      );
    expect(outcomes.at(-1)).toBe(true);
  });
});

test("a Redis that is not there is an error that names it, without the log-in", async () => {
  const port = await freePort();
  const store = redisStats({ url: `redis://ann:secret@127.0.0.1:${port}/0`, log });
  const error: unknown = await store.read().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Unavailable);
  expect((error as Unavailable).message).toContain(`redis://127.0.0.1:${port}/0`);
  expect((error as Unavailable).message).not.toContain("secret");
  await store.close();
});

function fail(line: string): never {
  throw new Error(`it logged: ${line}`);
}

function flush(stop: string, count: number): Flush {
  const counts = [{ outcome: "arrived" as const, detail: "", count }];
  const stops = [{ stop, counts, worked: {}, waited: {}, from: [], lastSeen: Date.now(), gaps: 0 }];
  return { instance: unique("instance"), sequence: 1, coversMs: 250, stops };
}
