import { connect, type Outgoing } from "metrobus";
import { afterAll, describe, expect, inject, test } from "vitest";
import { letterHeaders } from "../support/line.ts";
import { eventually, everything, unique } from "../support/probe.ts";
import { numberIn } from "./ledger.ts";
import { numbered } from "./line.ts";
import { killAll, startProcess } from "./process.ts";
import { passOn } from "./subjects.ts";

const brokers = inject("kafka");
const GOOD = 10_000;
const route = ["A", "End"].map(unique);
const [topic, end] = route as [string, string];
const letters = unique("Letters");
const nowhere = unique("Nowhere");

const routed = (payload: string, next = end) => `{"header":{"route":["${next}"]},"payload":${payload}}`;
const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

/** What is wrong, the value, and the reason that its dead letter has to have. */
const bad: readonly (readonly [what: string, value: string | Buffer | null, reason: string])[] = [
  ["the callback throws", routed('{"do":"throw"}'), "RangeError"],
  ["too large once the callback has changed it", routed('{"do":"grow"}'), "too large"],
  ["cut off", routed("{}").slice(0, 20), "malformed"],
  ["NaN, as Python writes it", routed("NaN"), "malformed"],
  ["no header", '{"payload":{}}', "malformed"],
  ["no payload", `{"header":{"route":["${end}"]}}`, "malformed"],
  ["a header that is none", '{"header":7,"payload":{}}', "malformed"],
  ["a route that is none", `{"header":{"route":"${end}"},"payload":{}}`, "malformed"],
  ["a tombstone", null, "malformed"],
  ["empty", "", "malformed"],
  ["not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), "malformed"],
  ["nested deeply and never closed", "[".repeat(500_000), "malformed"],
  ["a payload nested deeply", routed(deep(100_000)), "unusable result"],
  ["a header nested deeply", `{"header":{"route":["${end}"],"x":${deep(100_000)}},"payload":{}}`, "unusable result"],
  ["malformed, and as large as its topic takes", "x".repeat(1_048_000), "malformed"],
  ["an unknown next topic", routed("{}", nowhere), `unknown topic ${nowhere}`],
  ["a name that no topic can have", routed("{}", "a/b"), "bad route"],
  ["a route to the dead letters", routed("{}", letters), "bad route"],
];

describe.skipIf(!brokers)("bad messages among good ones (needs Docker)", () => {
  afterAll(killAll);

  test("each is a dead letter with its bytes and its reason; the good ones arrive, in order", async () => {
    const settings = {
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: brokers!,
      METROBUS_STATS: "memory",
      METROBUS_DEAD_LETTER_TOPIC: letters,
      METROBUS_CREATE_TOPICS: "true",
    };
    await using metro = await connect({ ...settings, LOG_LEVEL: "silent" });
    await metro.create(route);
    const poison = bad.flatMap(([what, value]) => [asRecord(what, value, "key 1"), asRecord(what, value, null)]);
    const good = Array.from({ length: GOOD }, (_, n) => ({ ...numbered(route, n), headers: HEADERS }));
    for (let from = 0; from < GOOD; from += 250) {
      await metro.bus.send([
        ...good.slice(from, from + 200),
        ...poison.splice(0, 1),
        ...good.slice(from + 200, from + 250),
      ]);
    }
    expect(poison).toEqual([]);

    const stop = startProcess(topic, topic, passOn(topic, 0, { ...settings, LOG_LEVEL: "fatal" }));
    await eventually(async () => (await metro.state(topic)).every(({ position, end }) => position === end));
    expect(await stop.end("SIGTERM")).toBe(0);

    const arrived = await everything(metro.bus, end);
    expect(byKey(arrived)).toEqual(byKey(good));
    expect(arrived.filter(({ headers }) => headers.length !== 2 || headers[1]![1] !== null)).toEqual([]);

    const dead = await everything(metro.bus, letters);
    const found = dead.map((letter) => `${String(letter.headers[0]?.[1])}, key: ${String(letter.key)}`);
    expect(found.toSorted()).toEqual(bad.flatMap(([what]) => [`${what}, key: key 1`, `${what}, key: null`]).toSorted());
    for (const [what, value, reason] of bad) {
      for (const letter of dead.filter(({ headers }) => String(headers[0]![1]) === what)) {
        expect(letterHeaders(letter), what).toMatchObject({ stop: topic, topic, reason });
        const { headers, value: bytes } = asRecord(what, value, null);
        expect(letter.headers.slice(0, headers.length), what).toEqual(headers);
        expect(bytes === null ? letter.value === null : letter.value?.equals(bytes), what).toBe(true);
      }
    }
  });
});

const HEADERS = [
  ["trace", Buffer.from("1")],
  ["nothing", null],
] as const;

function asRecord(what: string, value: string | Buffer | null, key: string | null): Outgoing {
  const headers = [["what", Buffer.from(what)], ...HEADERS] as const;
  return {
    topic,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers,
  };
}

/** The numbers of each key, as they come. */
function byKey(records: readonly Outgoing[]): Record<string, number[]> {
  const numbers: Record<string, number[]> = {};
  for (const record of records) (numbers[String(record.key)] ??= []).push(numberIn(record.value));
  return numbers;
}
