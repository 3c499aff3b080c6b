import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Received } from "../../runtime/bus.ts";
import {
  advance,
  newHeader,
  readEnvelope,
  readRaw,
  writeEnvelope,
  writePassed,
  writePayload,
} from "../../runtime/envelope.ts";
import { MalformedMessage, UnusableResult } from "../../runtime/errors.ts";
import { payloadSpan } from "../../runtime/payload-span.ts";

const record = (value: string | Buffer | null): Received => ({
  topic: "AddEmail",
  lane: "3",
  position: "17",
  timestamp: 1_700_000_000_000,
  key: null,
  value: value === null ? null : Buffer.from(value),
  headers: [],
});
const envelope = (header: object, rest: object = { payload: {} }) => record(JSON.stringify({ header, ...rest }));

describe("an envelope that is read", () => {
  test("has the header in the original's order, whatever the order it came in", () => {
    const { header } = readEnvelope(
      envelope({
        extra: 1,
        historical_route: ["A"],
        boarded: 5,
        id: "x",
        route: ["C", "B"],
        original_route: ["C", "B", "A"],
      }),
    );
    expect(JSON.stringify(header)).toBe(
      '{"route":["C","B"],"original_route":["C","B","A"],"historical_route":["A"],"id":"x","boarded":5,"extra":1}',
    );
  });

  test("gets its id, its time and what else is missing from where it was first met", () => {
    expect(readEnvelope(envelope({ route: ["Log", "WhiteList"] })).header).toEqual({
      route: ["Log", "WhiteList"],
      original_route: ["Log", "WhiteList", "AddEmail"],
      historical_route: ["AddEmail"],
      id: "AddEmail-3-17",
      boarded: 1_700_000_000_000,
    });
  });

  test("is read from body where payload is missing, and keeps fields that are not known", () => {
    expect(readEnvelope(envelope({ route: [] }, { body: 1, trace: [true] }))).toMatchObject({
      field: "body",
      payload: 1,
      rest: { trace: [true] },
    });
    expect(readEnvelope(envelope({ route: [] }, { body: 1, payload: 2 }))).toMatchObject({
      field: "payload",
      payload: 2,
      rest: { body: 1 },
    });
  });

  test.each([
    ["a tombstone", null, "null (a tombstone)"],
    ["no JSON", '{"a":', "not JSON"],
    ["NaN, as Python writes it", '{"header":{"route":[]},"payload":{"x":NaN}}', "NaN"],
    ["Infinity", '{"header":{"route":[]},"payload":Infinity}', "Infinity"],
    ["an array", "[]", "no header"],
    ["text", '"header"', "no header"],
    ["no header", '{"payload":1}', "no header"],
    ["a header that is none", '{"header":[],"payload":1}', "no header"],
    ["no route", '{"header":{},"payload":1}', "no route"],
    ["a route that is text", '{"header":{"route":"Log"},"payload":1}', "a string"],
    ["a route of numbers", '{"header":{"route":[1]},"payload":1}', "array of strings"],
    ["neither payload nor body", '{"header":{"route":[]}}', "neither payload nor body"],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "not UTF-8"],
    ["a route by prototype", '{"header":{"__proto__":{"route":["Log"]}},"payload":1}', "no route"],
  ])("is malformed when it is %s", (_what, value, words) => {
    const read = () => readEnvelope(record(value));
    expect(read).toThrow(MalformedMessage);
    expect(read).toThrow(words);
  });

  test("that is malformed is not quoted: it may be private", () => {
    expect(() => readEnvelope(record('{"password":"hunter2",}'))).toThrow(expect.not.stringContaining("hunter2"));
    expect(() => readEnvelope(record("hunter2"))).toThrow(expect.not.stringContaining("hunter2"));
  });
});

describe("a raw message", () => {
  test("is all payload, also when it has a field named header, and a tombstone is null", () => {
    expect(readRaw(record('{"header":{"route":["X"]}}'), "payload")).toMatchObject({
      header: null,
      payload: { header: { route: ["X"] } },
    });
    expect(readRaw(record(null), "payload").payload).toBeNull();
  });
});

describe("what is written", () => {
  test("pops the next stop off the route and appends it to the history", () => {
    const header = newHeader("id", 1, ["Log", "WhiteList", "AddEmail"]);
    expect(advance(header, header.route, "AddEmail")).toEqual({
      route: ["Log", "WhiteList"],
      original_route: ["Log", "WhiteList", "AddEmail"],
      historical_route: ["AddEmail"],
      id: "id",
      boarded: 1,
    });
  });

  test.each([[() => 1], [Symbol("x")], [1n]])("must be JSON: %s is not", (value) => {
    expect(() => writePayload(value)).toThrow(UnusableResult);
  });

  test("must be JSON: a circle is not", () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(() => writePayload(circle)).toThrow(UnusableResult);
  });

  test("comes back as it was, whatever the payload, the field and the fields around", () => {
    const names = fc.string().filter((name) => !["header", "payload", "body"].includes(name));
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom("payload" as const, "body" as const),
        fc.dictionary(names, fc.jsonValue()),
        fc.array(fc.string()),
        (payload, field, rest, route) => {
          const sent = envelope({ route, id: "x", boarded: 1, later: rest }, { [field]: payload, ...rest });
          const read = readEnvelope(sent);
          const again = JSON.parse(String(writeEnvelope(read.header!, read, writePayload(read.payload)))) as object;
          expect(again).toEqual({
            ...(JSON.parse(String(sent.value)) as object),
            header: {
              ...(JSON.parse(String(sent.value)) as { header: object }).header,
              original_route: [...route, "AddEmail"],
              historical_route: ["AddEmail"],
            },
          });
        },
      ),
    );
  });
});

describe("a payload that is passed", () => {
  test("keeps its bytes: spaces, big numbers, escapes, order", () => {
    const bytes = '{ "b" : 12345678901234567890,\n"a":"\\u0041\\"}" , "a":1.0 }';
    const value = Buffer.from(`{"x":{"payload":0},"header":{"route":["Log"]}, "payload" : ${bytes} ,"z":[1]}`);
    const read = readEnvelope(record(value));
    expect(String(writePassed(read.header!, read, value))).toContain(`"payload":${bytes},"x":`);
  });

  test("is found wherever it stands, the last one if it is there twice", () => {
    const spaces = fc.constantFrom("", " ", "\n\t");
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        fc.jsonValue(),
        spaces,
        fc.boolean(),
        (others, first, last, space, escaped) => {
          const fields = Object.entries(others).map(
            ([name, value]) => `${JSON.stringify(name)}${space}:${space}${JSON.stringify(value)}`,
          );
          const name = escaped ? '"\\u0070ayload"' : '"payload"';
          const json = Buffer.from(
            `${space}{${space}${[`"payload":${JSON.stringify(first)}`, ...fields, `${name}${space}:${space}${JSON.stringify(last)}`].join(`${space},${space}`)}${space}}${space}`,
          );
          const [start, end] = payloadSpan(json, "payload");
          expect(json.toString("utf8", start, end)).toBe(JSON.stringify(last));
        },
      ),
    );
  });
});
