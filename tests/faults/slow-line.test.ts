import { connect, MetroStop } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { eventually, unique } from "../support/probe.ts";
import { startCluster } from "./cluster.ts";

const RECORDS = 6_000;

describe.skipIf(!inject("kafka"))("on a line of 50 KB/s (needs Docker)", () => {
  test("a backlog of 6 MB is read all the time, and nothing comes twice", async () => {
    await using cluster = await startCluster(1);
    const topic = unique("Backlog");
    const settings = { METROBUS_BUS: "kafka", METROBUS_STATS: "memory", LOG_LEVEL: "silent" } as const;
    await using near = await connect({ ...settings, KAFKA_BROKERS: cluster.direct });
    await near.bus.create([{ topic, partitions: 4 }, { topic: "Error" }]);
    const value = (n: number) =>
      Buffer.from(JSON.stringify({ header: { route: [] }, payload: { n, text: "x".repeat(1_000) } }));
    const records = Array.from({ length: RECORDS }, (_, n) => ({
      topic,
      key: Buffer.from(String(n)),
      value: value(n),
      headers: [],
    }));
    // A batch is sent as a whole, as its producer made it.
    for (let at = 0; at < RECORDS; at += 400) await near.bus.send(records.slice(at, at + 400));
    await using far = await connect({ ...settings, KAFKA_BROKERS: cluster.brokers });
    const seen: number[] = [];
    await using stop = new MetroStop(topic, ({ n }: { n: number }) => (seen.push(n), null), { bus: far });
    const slow = await Promise.all(
      cluster.proxies.map((proxy) =>
        proxy.addToxic({
          name: "slow",
          type: "bandwidth",
          stream: "downstream",
          attributes: { rate: 50 },
          toxicity: 1,
        }),
      ),
    );
    await stop.start();
    await eventually(() => seen.length > 1_000);
    await Promise.all(slow.map((toxic) => toxic.remove()));
    await eventually(() => seen.length >= RECORDS);
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: RECORDS }, (_, n) => n));
  });
});
