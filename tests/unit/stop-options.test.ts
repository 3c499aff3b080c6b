import { ConfigError, MetroStop } from "metrobus";
import { expect, test } from "vitest";
import { z } from "zod";

const callback = () => null;
const make = (topic: unknown, given: unknown, options?: unknown) => () =>
  new MetroStop(topic as string, given as typeof callback, options as undefined);

test.each<[topic: unknown, callback: unknown, options: unknown, words: string[]]>([
  ["my topic", callback, {}, ["topic", "'my topic'", "letters, digits"]],
  ["", callback, {}, ["topic", "''"]],
  ["..", callback, {}, ["topic", "'..'"]],
  [undefined, callback, {}, ["topic", "undefined"]],
  ["A", undefined, {}, ["'A'", "callback must be a function", "undefined"]],
  ["A", callback, { concurrency: 0 }, ["concurrency", "whole number", "not 0"]],
  ["A", callback, { concurrency: NaN }, ["concurrency", "NaN"]],
  ["A", callback, { concurrency: 1.5 }, ["concurrency", "1.5"]],
  ["A", callback, { concurrency: "4" }, ["concurrency", "'4'"]],
  ["A", callback, { timeLimit: Infinity }, ["timeLimit", "2147483647", "Infinity"]],
  ["A", callback, { timeLimit: 0 }, ["timeLimit", "1 to", "not 0"]],
  ["A", callback, { retries: { attempts: NaN } }, ["retries.attempts", "NaN"]],
  ["A", callback, { retries: { attempts: 0 } }, ["retries.attempts", "at least 1"]],
  ["A", callback, { retries: { capMs: Infinity } }, ["retries.capMs", "Infinity"]],
  ["A", callback, { retries: { tries: 3 } }, ["no option retries.tries"]],
  ["A", callback, { retries: { later: "10s" } }, ["retries.later", "durations", "not '10s'"]],
  ["A", callback, { retries: { later: ["10s", 60_000] } }, ["retries.later", "60000"]],
  ["A", callback, { retries: { later: ["10 s"] } }, ["retries.later", "'10 s'"]],
  ["A", callback, { retries: { later: ["1m", "10s"] } }, ["retries.later", "shortest first"]],
  ["A", callback, { retries: { later: ["60s", "1m"] } }, ["retries.later", "'60s', '1m'"]],
  ["A", callback, { retries: { later: ["99ms"] } }, ["retries.later", "from 100ms"]],
  ["A", callback, { retries: { later: ["600h"] } }, ["retries.later", "24 days"]],
  ["A", callback, { retries: { later: Array.from({ length: 11 }, (_, n) => `${n + 1}s`) } }, ["at most ten"]],
  ["A", callback, { retries: { within: 60 } }, ["retries.within", "duration", "not 60"]],
  ["A", callback, { retries: null }, ["retries", "an object", "null"]],
  ["A", callback, { breaker: true }, ["breaker", "false, or an object", "true"]],
  ["A", callback, { breaker: { capMs: -1 } }, ["breaker.capMs", "-1"]],
  ["A", callback, { breaker: { after: 3 } }, ["no option breaker.after"]],
  ["A", callback, { once: false }, ["once", "true, or an object", "false"]],
  ["A", callback, { once: { ttl: 60 } }, ["once.ttl", "24h", "60"]],
  ["A", callback, { once: { ttl: "5ms" } }, ["once.ttl", "at least a second"]],
  ["A", callback, { once: { onExpired: "never" } }, ["once.onExpired", "'never'"]],
  ["A", callback, { timelimit: 5 }, ["no option timelimit"]],
  ["A", callback, { use: [undefined] }, ["use", "functions"]],
  ["A", callback, { schema: {} }, ["schema", "Standard Schema"]],
  ["A", callback, { creates: ["B", "my topic"] }, ["creates", "'my topic'"]],
  ["A", callback, { bus: Promise.resolve({}) }, ["bus", "await it"]],
])("a stop %j of %o with %o is refused, in words", (topic, given, options, words) => {
  expect(make(topic, given, options)).toThrow(ConfigError);
  for (const word of words) expect(make(topic, given, options)).toThrow(word);
});

test("all faults are told at once", () => {
  const refused = make("A B", "no function", { concurrency: -1, retries: { baseMs: -1 } });
  for (const fault of [/A B/, /callback/, /concurrency/, /retries\.baseMs/]) expect(refused).toThrow(fault);
});

test.each([
  [{ concurrency: undefined, retries: { attempts: undefined } }],
  [{ retries: { later: ["100ms", "10s", "1m", "10m", "596h"], within: "1h" } }],
  [{ retries: { later: [] } }],
  [{ breaker: false, once: true }],
  [{ breaker: { baseMs: 10, capMs: 1_000 }, once: { ttl: "168h", onExpired: "dead" } }],
  [{ timeLimit: 2 ** 31 - 1, retries: { attempts: 1, baseMs: 0, capMs: 0.5 }, concurrency: 1, creates: [], use: [] }],
  [{ input: "raw", schema: z.unknown(), setup: async () => undefined, isRetryable: () => true, group: "g" }],
])("%o is taken", (options) => {
  expect(make("A.b_c-1", callback, options)).not.toThrow();
});
