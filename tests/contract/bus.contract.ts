import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Batch, Bus, Delivery, Received, Subscription } from "../../runtime/bus.ts";
import { partitionOf } from "../../runtime/buses/murmur2.ts";
import { ConfigError, LaneLost, UnknownTopic, type MetrobusError } from "../../runtime/errors.ts";
import {
  eventually,
  everything,
  message,
  probe,
  settle,
  settleAll,
  text,
  unique,
  type Probe,
} from "../support/probe.ts";

export interface BusUnderTest {
  bus: Bus;
  /** The same topics and groups, as another process sees them. */
  other: Bus;
  /** Their dead-letter topic. */
  letters: string;
}

type Joining = Parameters<typeof probe>[1];

/** Every promise of `runtime/bus.ts`. Whoever writes a bus runs this: see docs/add-a-bus.md. */
export function busContract(name: string, features: Bus["features"], open: () => Promise<BusUnderTest>): void {
  const deliveries: Delivery[] = features.exactlyOnce ? ["at-least-once", "exactly-once"] : ["at-least-once"];
  describe.each(deliveries)(`the bus ${name}, %s`, (delivery) => {
    let bus: Bus;
    let other: Bus;
    let letters: string;
    const subscriptions = new Set<Subscription>();

    beforeAll(async () => {
      ({ bus, other, letters } = await open());
      await bus.create([{ topic: letters, keepForever: true }]);
    });
    afterEach(async () => {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop(Date.now())));
      subscriptions.clear();
    });
    afterAll(async () => {
      await Promise.all([bus.close(), other.close()]);
    });

    const topicOf = async (partitions: number, word = "topic"): Promise<string> => {
      const topic = unique(word);
      await bus.create([{ topic, partitions }]);
      return topic;
    };
    const join = async (on: Bus, options: Joining, onBatch?: (batch: Batch) => Promise<void>): Promise<Probe> => {
      const joined = await probe(on, { delivery, ...options }, onBatch);
      subscriptions.add(joined.subscription);
      return joined;
    };
    const sendNumbers = (topic: string, from: number, to: number, key: string | null = "key") =>
      bus.send(Array.from({ length: to - from }, (_, n) => message(topic, key, String(from + n))));
    const position = async (group: string, topic: string) =>
      (await bus.state(group, topic)).reduce((sum, lane) => sum + lane.position, 0n);
    const hang = () => new Promise<never>(() => undefined);

    test("has the features it was announced with", () => {
      expect(bus.features).toEqual(features);
    });

    describe("records", () => {
      test("come once each, in the order of their lane and so of their key", async () => {
        const topic = await topicOf(4);
        await bus.send(Array.from({ length: 500 }, (_, n) => message(topic, `key ${n % 20}`, String(n))));
        const { records } = await join(bus, { topic, group: unique("group") });
        await eventually(() => records.length >= 500);
        for (const lane of ["0", "1", "2", "3"]) {
          const positions = records.filter((record) => record.lane === lane).map((record) => record.position);
          expect(positions).toEqual(positions.map((_, n) => String(n)));
        }
        for (let key = 0; key < 20; key++) {
          const values = records.filter((record) => String(record.key) === `key ${key}`).map(text);
          expect(values).toEqual(Array.from({ length: 25 }, (_, n) => String(key + n * 20)));
        }
      });

      test("lie where Kafka's default partitioner puts their key", async () => {
        const topic = await topicOf(7);
        const keys = Array.from({ length: 100 }, (_, n) => `account ${n * 7919}`);
        await bus.send(keys.map((key) => message(topic, key, key)));
        const lanes = new Map((await everything(bus, topic)).map((record) => [text(record), record.lane]));
        expect(lanes).toEqual(new Map(keys.map((key) => [key, String(partitionOf(Buffer.from(key), 7))])));
      });

      test("are what was sent: null key, null value, empty value, headers twice and null", async () => {
        const topic = await topicOf(1);
        const headers = [
          ["trace", Buffer.from("1")],
          ["empty", Buffer.alloc(0)],
          ["trace", Buffer.from([0, 255, 128])],
          ["nothing", null],
        ] as const;
        const before = Date.now();
        await bus.send([
          { topic, key: null, value: null, headers: [] },
          { topic, key: Buffer.from([0, 200]), value: Buffer.alloc(0), headers },
        ]);
        const { records } = await join(bus, { topic, group: unique("group") });
        await eventually(() => records.length >= 2);
        expect(records).toEqual([
          { topic, lane: "0", position: "0", timestamp: expect.any(Number), key: null, value: null, headers: [] },
          expect.objectContaining({ position: "1", key: Buffer.from([0, 200]), value: Buffer.alloc(0), headers }),
        ]);
        expect(records[0]!.timestamp).toBeGreaterThanOrEqual(before - 60_000);
        expect(records[0]!.timestamp).toBeLessThanOrEqual(Date.now() + 60_000);
      });
    });

    describe("settle", () => {
      test("resolves when what came of the records is durable and they count as done", async () => {
        const topic = await topicOf(1);
        const next = await topicOf(1, "next");
        const group = unique("group");
        const seen = Promise.withResolvers<{ sent: string[]; position: bigint }>();
        await sendNumbers(topic, 0, 3);
        await join(bus, { topic, group }, async (batch) => {
          const last = batch.records.at(-1)?.position === "2";
          await settle(
            batch,
            batch.records.map((record, index) => ({ index, out: [message(next, "k", `out ${text(record)}`)] })),
          );
          if (last) {
            const sent = (await everything(other, next)).map(text);
            seen.resolve({ sent, position: await position(group, topic) });
          }
        });
        expect(await seen.promise).toEqual({ sent: ["out 0", "out 1", "out 2"], position: 3n });
      });

      test("sends any number of records for one, or none", async () => {
        const topic = await topicOf(1);
        const next = await topicOf(1, "next");
        const group = unique("group");
        await sendNumbers(topic, 0, 3);
        await join(bus, { topic, group }, (batch) =>
          settle(
            batch,
            batch.records.map((record, index) => ({
              index,
              out: Array.from({ length: Number(record.value) }, () => message(next, null, text(record))),
            })),
          ),
        );
        await eventually(async () => (await position(group, topic)) >= 3n);
        expect((await everything(bus, next)).map(text)).toEqual(["1", "2", "2"]);
      });

      test("marks the lane as done up to the first record that is not settled", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        await sendNumbers(topic, 0, 3);
        const { batch } = await wholeBatch(topic, group, 3);
        const next = await topicOf(1, "next");
        const ended: string[] = [];
        const ahead = settle(batch, [
          { index: 2, out: [] },
          { index: 1, out: [message(next, "key", "1")] },
        ]).then(() => ended.push("ahead"));
        // Exactly once what is sent and the position can't be apart.
        const atOnce = delivery === "at-least-once" ? ["1"] : [];
        await eventually(async () => (await everything(bus, next)).length === atOnce.length);
        expect([await position(group, topic), ended]).toEqual([0n, []]);
        await settle(batch, [{ index: 0, out: [message(next, "key", "0")] }]);
        await ahead;
        expect(await position(group, topic)).toBe(3n);
        expect((await everything(bus, next)).map(text)).toEqual(delivery === "at-least-once" ? ["1", "0"] : ["0", "1"]);
      });

      test("rejects for what lies behind an unsettled record when the lane is lost: it comes again", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        await sendNumbers(topic, 0, 3);
        const { batch, subscription } = await wholeBatch(topic, group, 3);
        const ahead = settle(batch, [{ index: 1, out: [] }]).catch((error: unknown) => error);
        await subscription.stop(Date.now());
        expect(await ahead).toBeInstanceOf(LaneLost);
        const { records } = await join(bus, { topic, group });
        await eventually(() => records.length === 3);
      });

      test("that is broken off names what the position had passed: it does not come again", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        await sendNumbers(topic, 0, 3);
        const { batch, subscription } = await wholeBatch(topic, group, 3);
        const both = settle(batch, [
          { index: 0, out: [] },
          { index: 2, out: [] },
        ]).catch((error: unknown) => error);
        await eventually(async () => (await position(group, topic)) === 1n);
        await subscription.stop(Date.now());
        expect([...((await both) as LaneLost).passed]).toEqual([0]);
        const { records } = await join(bus, { topic, group });
        await eventually(() => records.length === 2);
        expect(records.map(text)).toEqual(["1", "2"]);
      });

      test("carries out its calls in the order they were made", async () => {
        const topic = await topicOf(1);
        const next = await topicOf(1, "next");
        const group = unique("group");
        await sendNumbers(topic, 0, 20);
        const { batch } = await wholeBatch(topic, group, 20);
        await Promise.all(
          batch.records.map((record, index) => settle(batch, [{ index, out: [message(next, "key", text(record))] }])),
        );
        expect((await everything(bus, next)).map(text)).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
        expect(await position(group, topic)).toBe(20n);
      });

      test("asks what to send in the place of what can't be sent, and keeps the order", async () => {
        const topic = await topicOf(1);
        const next = await topicOf(1, "next");
        const group = unique("group");
        await sendNumbers(topic, 0, 4);
        const { batch } = await wholeBatch(topic, group, 4);
        const nowhere = unique("nowhere");
        const asked: [number, MetrobusError][] = [];
        const first = batch.settle(
          [
            { index: 0, out: [message(next, "key", "0")] },
            { index: 1, out: [message(next, "key", "1"), message(nowhere, "key", "1")] },
            { index: 2, out: [message(next, "key", "2")] },
          ],
          (index, why) => {
            asked.push([index, why]);
            return [message(next, "key", "dead")];
          },
        );
        await Promise.all([first, settle(batch, [{ index: 3, out: [message(next, "key", "3")] }])]);
        expect(asked).toEqual([[1, expect.any(UnknownTopic)]]);
        expect((await everything(bus, next)).map(text)).toEqual(["0", "dead", "2", "3"]);
        expect(await position(group, topic)).toBe(4n);
      });

      test("waits, and asks again, while what is to be sent instead can't be sent either", async () => {
        const topic = await topicOf(1);
        const letters = unique("letters");
        const group = unique("group");
        await sendNumbers(topic, 0, 1);
        const { batch } = await wholeBatch(topic, group, 1);
        let asked = 0;
        const settled = batch.settle([{ index: 0, out: [message(unique("nowhere"), null, "0")] }], () => {
          asked++;
          return [message(letters, null, "dead")];
        });
        await eventually(() => asked >= 3);
        expect(await position(group, topic)).toBe(0n);
        await bus.create([{ topic: letters, partitions: 1 }]);
        await settled;
        expect((await everything(bus, letters)).map(text)).toEqual(["dead"]);
        expect(await position(group, topic)).toBe(1n);
      });

      test("that waits for what can't be sent ends with the lane", async () => {
        const topic = await topicOf(1);
        const [group, nowhere] = [unique("group"), unique("nowhere")];
        await sendNumbers(topic, 0, 1);
        const { batch, subscription } = await wholeBatch(topic, group, 1);
        const asked = Promise.withResolvers<void>();
        const settling = batch.settle([{ index: 0, out: [message(nowhere, null, "1")] }], () => {
          asked.resolve();
          return [message(nowhere, null, "2")];
        });
        const outcome = settling.catch((error: unknown) => error);
        await asked.promise;
        await subscription.stop(Date.now());
        expect(await outcome).toBeInstanceOf(LaneLost);
        expect(await position(group, topic)).toBe(0n);
      });
    });

    if (delivery === "exactly-once") {
      describe("exactly once", () => {
        test("nothing is to be seen of results whose lane is lost before the position has passed them", async () => {
          const [topic, next, group] = [await topicOf(1), await topicOf(1, "next"), unique("group")];
          await sendNumbers(topic, 0, 3);
          const { batch, subscription } = await wholeBatch(topic, group, 3);
          const ahead = settle(batch, [{ index: 1, out: [message(next, "key", "too early")] }]);
          const outcome = ahead.catch((error: unknown) => error);
          await subscription.stop(Date.now());
          expect(await outcome).toBeInstanceOf(LaneLost);
          await join(other, { topic, group }, (again) =>
            settle(
              again,
              again.records.map((record, index) => ({ index, out: [message(next, "key", text(record))] })),
            ),
          );
          await eventually(async () => (await position(group, topic)) === 3n);
          expect((await everything(bus, next)).map(text)).toEqual(["0", "1", "2"]);
        });

        test("each result is there once, in order, though members come and go while records flow", async () => {
          const [topic, next, group] = [await topicOf(4), unique("next"), unique("group")];
          await bus.create([{ topic: next, partitions: 4, keepForever: true }]);
          const passOn = (batch: Batch) =>
            settle(
              batch,
              batch.records.map((record, index) => ({ index, out: [{ ...record, topic: next }] })),
            ).catch((error: unknown) => expect(error).toBeInstanceOf(LaneLost));
          const steady = await join(bus, { topic, group }, passOn);
          let [sent, flows] = [0, true];
          const sending = (async () => {
            for (; flows; sent += 20) {
              await bus.send(Array.from({ length: 20 }, (_, k) => message(topic, `key ${k}`, String(sent + k))));
            }
          })();
          for (let n = 0; n < 3; n++) {
            const guest = await join(other, { topic, group }, passOn);
            await eventually(() => guest.records.length > 100);
            // The second one leaves with all that it is working on.
            await guest.subscription.stop(n === 1 ? 0 : Date.now() + 10_000);
          }
          flows = false;
          await sending;
          await eventually(async () => (await position(group, topic)) === BigInt(sent));
          await steady.subscription.stop(Date.now() + 10_000);
          const found = await everything(bus, next);
          expect(found).toHaveLength(sent);
          for (let key = 0; key < 20; key++) {
            const numbers = found.filter((record) => String(record.key) === `key ${key}`).map(text);
            expect(numbers).toEqual(Array.from({ length: sent / 20 }, (_, n) => String(n * 20 + key)));
          }
        });
      });
    }

    describe("batches", () => {
      test("come while the settlements of earlier ones are open", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        const { batches, records } = await join(bus, { topic, group }, async () => undefined);
        await sendNumbers(topic, 0, 1);
        await eventually(() => records.length >= 1);
        await sendNumbers(topic, 1, 2);
        await eventually(() => records.length >= 2);
        expect(await position(group, topic)).toBe(0n);
        await Promise.all(batches.map(settleAll));
        expect(await position(group, topic)).toBe(2n);
      });

      test("of one lane come one at a time", async () => {
        const topic = await topicOf(2);
        const running = new Map<string, number>();
        const most = new Map<string, number>();
        const { records } = await join(bus, { topic, group: unique("group") }, async (batch) => {
          const { lane } = batch.records[0]!;
          running.set(lane, (running.get(lane) ?? 0) + 1);
          most.set(lane, Math.max(most.get(lane) ?? 0, running.get(lane)!));
          await new Promise(setImmediate);
          await settleAll(batch);
          running.set(lane, running.get(lane)! - 1);
        });
        for (let n = 0; n < 40; n++) await bus.send([message(topic, `key ${n}`, String(n))]);
        await eventually(() => records.length >= 40);
        expect([...most.values()]).toEqual([1, 1]);
      });

      test("of other lanes come although one lane is slow", async () => {
        const topic = await topicOf(2);
        const [slow, quick] = keysOfLanes(2) as [string, string];
        const { records } = await join(bus, { topic, group: unique("group") }, (batch) =>
          batch.records[0]!.lane === "0" ? hang() : settleAll(batch),
        );
        await bus.send([message(topic, slow, "slow")]);
        await eventually(() => records.some((record) => record.lane === "0"));
        for (let n = 0; n < 5; n++) {
          await bus.send([message(topic, quick, `quick ${n}`)]);
          await eventually(() => records.some((record) => text(record) === `quick ${n}`));
        }
        expect(records).toHaveLength(6);
      });

      test("that fail end the subscription, which says why", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        await sendNumbers(topic, 0, 1);
        const broken = new Error("a fault of the runtime");
        const { subscription } = await join(bus, { topic, group }, () => Promise.reject(broken));
        expect(await subscription.failed).toBe(broken);
        const { records } = await join(bus, { topic, group });
        await eventually(() => records.length >= 1);
      });
    });

    describe("stop", () => {
      test("waits for the batch that is running, and no other begins", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        const gate = Promise.withResolvers<void>();
        const { batches, subscription } = await join(bus, { topic, group }, async (batch) => {
          await gate.promise;
          await settleAll(batch);
        });
        await sendNumbers(topic, 0, 1);
        await eventually(() => batches.length >= 1);
        await sendNumbers(topic, 1, 2);
        let stopped = false;
        const stopping = subscription.stop(Date.now() + 60_000).then(() => (stopped = true));
        await new Promise(setImmediate);
        expect(stopped).toBe(false);
        expect(batches[0]!.signal.aborted).toBe(false);
        gate.resolve();
        await stopping;
        expect(batches.length).toBe(1);
        expect(await position(group, topic)).toBe(BigInt(batches[0]!.records.length));
      });

      test("waits for the work it is told of", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        const { batches, subscription } = await join(bus, { topic, group }, async () => undefined);
        await sendNumbers(topic, 0, 1);
        await eventually(() => batches.length >= 1);
        const work = new Promise(setImmediate).then(() => settleAll(batches[0]!));
        await subscription.stop(Date.now() + 60_000, work);
        expect(await position(group, topic)).toBe(1n);
      });

      test("aborts what runs past its deadline and leaves it unsettled: it comes again", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        await sendNumbers(topic, 0, 3);
        const { batch, subscription } = await wholeBatch(topic, group, 3);
        await settle(batch, [{ index: 0, out: [] }]);
        await subscription.stop(Date.now() + 100);
        await subscription.stop(Date.now());
        expect(batch.signal.aborted).toBe(true);
        expect(batch.signal.reason).toBeInstanceOf(LaneLost);
        await expect(settle(batch, [{ index: 1, out: [] }])).rejects.toBeInstanceOf(LaneLost);
        expect(subscription.lanes()).toEqual([]);
        const { records } = await join(other, { topic, group });
        await eventually(() => records.length >= 2);
        expect(records.map(text)).toEqual(["1", "2"]);
      });
    });

    describe("groups", () => {
      test("each see all records", async () => {
        const topic = await topicOf(2);
        const first = await join(bus, { topic, group: unique("first") });
        const second = await join(bus, { topic, group: unique("second") });
        await bus.send(Array.from({ length: 10 }, (_, n) => message(topic, `key ${n}`, String(n))));
        await eventually(() => first.records.length >= 10 && second.records.length >= 10);
        const all = Array.from({ length: 10 }, (_, n) => String(n));
        expect(first.records.map(text).toSorted()).toEqual(all);
        expect(second.records.map(text).toSorted()).toEqual(all);
      });

      test("share the lanes among their members", async () => {
        const topic = await topicOf(4);
        const group = unique("group");
        const members = [await join(bus, { topic, group }), await join(other, { topic, group })];
        const lanes = () => members.map(({ subscription }) => subscription.lanes().map(({ lane }) => lane));
        await eventually(() => lanes().every((held) => held.length === 2));
        expect(lanes().flat().toSorted()).toEqual(["0", "1", "2", "3"]);
        await bus.send(Array.from({ length: 100 }, (_, n) => message(topic, `key ${n}`, String(n))));
        await eventually(() => members.reduce((sum, { records }) => sum + records.length, 0) >= 100);
        const seen = members.flatMap(({ records }) => records.map(text));
        expect(seen.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n));
        expect(members.every(({ records }) => records.length > 0)).toBe(true);
      });

      test("give a lane to another member: its batch is aborted, its settlement rejects, its records come there", async () => {
        const topic = await topicOf(2);
        const group = unique("group");
        await bus.send(keysOfLanes(2).map((key) => message(topic, key, key)));
        const first = await join(bus, { topic, group }, hang);
        await eventually(() => first.records.length >= 2);
        const second = await join(other, { topic, group });
        await eventually(() => second.records.length > 0);
        const { lane } = second.records[0]!;
        const lost = first.batches.find((batch) => batch.records[0]!.lane === lane)!;
        expect(lost.signal.aborted).toBe(true);
        await expect(settleAll(lost)).rejects.toBeInstanceOf(LaneLost);
      });

      test("take over the lanes of a member that leaves", async () => {
        const topic = await topicOf(2);
        const group = unique("group");
        const first = await join(bus, { topic, group });
        const second = await join(other, { topic, group });
        await eventually(() => second.subscription.lanes().length === 1);
        await first.subscription.stop(Date.now() + 10_000);
        await eventually(() => second.subscription.lanes().length === 2);
        await bus.send(keysOfLanes(2).map((key) => message(topic, key, key)));
        await eventually(() => second.records.length >= 2);
        expect(first.records).toEqual([]);
      });

      test("that are new begin at the oldest record, or at the end", async () => {
        const topic = await topicOf(1);
        await sendNumbers(topic, 0, 2);
        const oldest = await join(bus, { topic, group: unique("oldest"), start: "earliest" });
        const latest = await join(bus, { topic, group: unique("latest"), start: "latest" });
        await eventually(() => latest.subscription.lanes()[0]?.position === 2n);
        await sendNumbers(topic, 2, 4);
        await eventually(() => oldest.records.length >= 4 && latest.records.length >= 2);
        expect(oldest.records.map(text)).toEqual(["0", "1", "2", "3"]);
        expect(latest.records.map(text)).toEqual(["2", "3"]);
      });

      test("read all that is sent once they have joined, also when they begin at the end", async () => {
        const topic = await topicOf(4);
        await sendNumbers(topic, 0, 10);
        const { records } = await join(bus, { topic, group: unique("group"), start: "latest" });
        await bus.send(Array.from({ length: 40 }, (_, n) => message(topic, `key ${n}`, String(n))));
        await eventually(() => records.length >= 40);
        expect(records).toHaveLength(40);
      });

      test("go on where they stood", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        await sendNumbers(topic, 0, 2);
        const first = await join(bus, { topic, group });
        await eventually(async () => (await position(group, topic)) >= 2n);
        await first.subscription.stop(Date.now() + 10_000);
        await sendNumbers(topic, 2, 4);
        const second = await join(other, { topic, group, start: "latest" });
        await eventually(() => second.records.length >= 2);
        expect(second.records.map(text)).toEqual(["2", "3"]);
      });

      test("read one topic each: a second one is an error that names both", async () => {
        const [topic, another] = [await topicOf(1), await topicOf(1)];
        const group = unique("group");
        const { subscription } = await join(bus, { topic, group });
        await eventually(() => subscription.lanes().length === 1);
        const error = await other
          .consume({ topic: another, group, start: "earliest" }, settleAll)
          .catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(ConfigError);
        expect((error as ConfigError).message).toContain(topic);
        expect((error as ConfigError).message).toContain(another);
      });
    });

    describe("records that are not to come before a time", () => {
      const headers = [["trace", Buffer.from([0, 255])]] as const;

      /** Puts off each record's first coming by so many ms, and settles the second. */
      const putOff = (ms: number) => (batch: Batch) => {
        const first = (record: Received) => record.headers.length === 0;
        const off = (record: Received) => ({ ...record, headers, notBefore: Date.now() + ms });
        return settle(
          batch,
          batch.records.map((record, index) => ({ index, out: first(record) ? [off(record)] : [] })),
        );
      };

      for (const delivery of features.exactlyOnce
        ? (["at-least-once", "exactly-once"] as const)
        : (["at-least-once"] as const)) {
        test(`come then, as they were, to this group alone (${delivery})`, async () => {
          const topic = await topicOf(1);
          const group = unique("group");
          const others = await join(other, { topic, group: unique("beside") });
          const { records } = await join(bus, { topic, group, delivery, later: [200, 600] }, putOff(600));
          await sendNumbers(topic, 0, 3);
          await eventually(() => records.length === 6);
          await sendNumbers(topic, 3, 4);
          await eventually(() => records.length >= 7 && others.records.length >= 4);
          expect(records.slice(0, 6).map(text)).toEqual(["0", "1", "2", "0", "1", "2"]);
          for (const [at, record] of records.slice(3, 6).entries()) {
            expect(record).toMatchObject({ topic, key: Buffer.from("key"), headers });
            expect(record.timestamp).toBeGreaterThanOrEqual(records[at]!.timestamp + 600);
          }
          expect(others.records.map(text)).toEqual(["0", "1", "2", "3"]);
          expect(await bus.state(unique("nobody"), `${group}.later.200ms`)).toMatchObject(
            Array.from({ length: 4 }, () => ({ end: 0n })),
          );
        });
      }

      test("come although who parked them has gone, and do not keep it from going", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        const options = { topic, group, later: [500, 3_600_000] };
        const first = await join(bus, options, (batch) =>
          settle(
            batch,
            batch.records.map((record, index) => ({
              index,
              out: [{ ...record, notBefore: Date.now() + options.later[Number(text(record))]! }],
            })),
          ),
        );
        await sendNumbers(topic, 0, 2);
        await eventually(async () => (await position(group, topic)) === 2n);
        await first.subscription.stop(Date.now() + 3_600_000);
        const second = await join(other, options);
        await eventually(() => second.records.length === 1);
        expect(second.records.map(text)).toEqual(["0"]);
        expect(second.records[0]!.timestamp).toBeGreaterThanOrEqual(first.records[0]!.timestamp + 500);
        await second.subscription.stop(Date.now() + 3_600_000);
      });

      test("are not held up by what something else has put among them: that is a dead letter", async () => {
        const topic = await topicOf(1);
        const group = unique("group");
        const tier = `${group}.later.200ms`;
        await bus.create([{ topic: tier, partitions: 1 }]);
        const foreign = unique("foreign");
        const due = (text: string) => [
          ["later.topic", Buffer.from(topic)] as const,
          ["later.due", Buffer.from(text)] as const,
        ];
        await bus.send([
          message(tier, null, foreign),
          { ...message(tier, null, foreign), headers: due("soon") },
          { ...message(tier, null, foreign), headers: due("-1") },
        ]);
        // A clock that is wrong by years.
        await bus.send([{ ...message(tier, null, "far ahead"), headers: due(String(Date.now() + 1e11)) }]);
        const { records } = await join(bus, { topic, group, later: [200] }, putOff(200));
        await sendNumbers(topic, 0, 1);
        await eventually(() => records.length >= 4);
        expect(records.map(text).toSorted()).toEqual(["0", "0", "far ahead", "far ahead"]);
        const found = (await everything(bus, letters)).filter((letter) => text(letter) === foreign);
        expect(found).toHaveLength(3);
        const reasons = found.map((letter) => new Map(letter.headers).get("dead-letter.reason"));
        expect(reasons.map(String)).toEqual(["malformed", "malformed", "malformed"]);
      });

      test("are dead letters when they are due and their topic has gone, or never was", async () => {
        const topic = await topicOf(1);
        const nowhere = unique("nowhere");
        await sendNumbers(topic, 0, 1);
        const value = unique("lost");
        await join(bus, { topic, group: unique("group"), later: [200] }, (batch) =>
          settle(
            batch,
            batch.records.map((_, index) => ({
              index,
              out: [{ ...message(nowhere, null, value), notBefore: Date.now() + 200 }],
            })),
          ),
        );
        const found = async () => (await everything(bus, letters)).find((letter) => text(letter) === value);
        await eventually(async () => (await found()) !== undefined);
        expect(String(new Map((await found())!.headers).get("dead-letter.reason"))).toBe(`unknown topic ${nowhere}`);
      });
    });

    describe("topics", () => {
      test("that do not exist are an error that names them, whatever is asked", async () => {
        const topic = unique("nowhere");
        const [known, group] = [await topicOf(1), unique("group")];
        const asked = [
          bus.send([message(known, null, "1"), message(topic, null, "2")]),
          bus.consume({ topic, group, start: "earliest" }, settleAll),
          bus.state(group, topic),
          bus.read(topic, "0", 0n, 1)[Symbol.asyncIterator]().next(),
        ];
        for (const outcome of await Promise.allSettled(asked)) {
          expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(UnknownTopic) });
          expect((outcome as PromiseRejectedResult).reason.topic).toBe(topic);
        }
      });

      test("are known when they exist", async () => {
        const [known, fresh] = [await topicOf(1), unique("topic")];
        expect([await bus.knows(known), await bus.knows(fresh)]).toEqual([true, false]);
        await other.create([{ topic: fresh }]);
        expect(await bus.knows(fresh)).toBe(true);
      });

      test("are created once and then left as they are", async () => {
        const [topic, fresh] = [await topicOf(3), unique("topic")];
        await sendNumbers(topic, 0, 2);
        await Promise.all([
          bus.create([{ topic, partitions: 5 }]),
          bus.create([{ topic: fresh, partitions: 2, keepForever: true }, { topic }]),
          other.create([{ topic: fresh, partitions: 2 }]),
        ]);
        expect((await bus.state(unique("group"), topic)).map(({ lane }) => lane)).toEqual(["0", "1", "2"]);
        expect(await bus.state(unique("group"), fresh)).toHaveLength(2);
        expect((await everything(bus, topic)).map(text)).toEqual(["0", "1"]);
      });

      test("say where each lane stands for a group", async () => {
        const topic = await topicOf(2);
        const group = unique("group");
        const [zero, one] = keysOfLanes(2) as [string, string];
        await bus.send([message(topic, zero, "a"), message(topic, one, "b"), message(topic, one, "c")]);
        const { records } = await join(bus, { topic, group }, async (batch) => {
          if (batch.records[0]!.lane === "1") await settleAll(batch);
        });
        await eventually(async () => records.length >= 3 && (await position(group, topic)) >= 2n);
        expect(await bus.state(group, topic)).toEqual([
          { lane: "0", low: 0n, position: 0n, end: 1n },
          { lane: "1", low: 0n, position: 2n, end: 2n },
        ]);
      });

      test("are read without a group from a position on, up to a limit or the lane's end", async () => {
        const topic = await topicOf(1);
        await sendNumbers(topic, 0, 10);
        const read = async (from: bigint, limit: number) => {
          const values: string[] = [];
          for await (const record of bus.read(topic, "0", from, limit)) values.push(text(record));
          return values;
        };
        expect(await read(3n, 4)).toEqual(["3", "4", "5", "6"]);
        expect(await read(8n, 100)).toEqual(["8", "9"]);
        expect(await read(10n, 5)).toEqual([]);
        expect(await read(0n, 100)).toHaveLength(10);
      });
    });

    /** One batch with all of the records, which stays open: `onBatch` does not return. */
    async function wholeBatch(topic: string, group: string, size: number) {
      const { batches, subscription } = await join(bus, { topic, group }, hang);
      await eventually(() => batches.length > 0);
      expect(batches[0]!.records).toHaveLength(size);
      return { batch: batches[0] as Batch, subscription };
    }
  });
}

/** A key for each lane, in the lanes' order. */
function keysOfLanes(lanes: number): string[] {
  const keys: string[] = [];
  for (let n = 0; keys.filter(Boolean).length < lanes; n++) {
    keys[partitionOf(Buffer.from(`key ${n}`), lanes)] ??= `key ${n}`;
  }
  return keys;
}
