import { LaneLost, routed, type StopContext } from "metrobus";
import { describe, expect, test } from "vitest";
import { json, letterHeaders, line } from "../support/line.ts";
import { start } from "../support/program.ts";
import { eventually } from "../support/probe.ts";

const once = { retries: { attempts: 1 } };
const getter = (field: string) =>
  Object.defineProperty(new Error("with a getter"), field, {
    enumerable: true,
    get() {
      throw new Error("from the getter");
    },
  });
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

describe("whatever a callback throws is a dead letter, and the next message goes on", () => {
  test.each<[what: string, thrown: unknown, reason: string]>([
    ["a numeric code", Object.assign(new Error("x"), { code: 14 }), "Error"],
    ["a code that is text", Object.assign(new Error("x"), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    ["a DOMException", new DOMException("late", "TimeoutError"), "TimeoutError"],
    ["no message", Object.assign(new Error("x"), { message: undefined }), "Error"],
    ["a name that is a number", Object.assign(new Error("x"), { name: 7 }), "Error"],
    ["a message that can't be read", getter("message"), "Error"],
    ["a stack that can't be read", getter("stack"), "Error"],
    ["a field that can't be read", getter("request"), "Error"],
    ["a cause that can't be read", getter("cause"), "Error"],
    ["half a character", Object.assign(new Error("\ud83d"), { code: "\ud83d" }), "\ufffd"],
    ["a long name", Object.assign(new Error("x"), { name: "n".repeat(1_000_000) }), "n".repeat(256)],
    ["an object without a prototype", Object.create(null), "Error"],
    ["a revoked proxy", revoked, "Error"],
    ["nothing", undefined, "Error"],
    ["text", "text", "Error"],
    ["an error of metrobus's own that says that the lane is lost", new LaneLost("0", "a lie"), "lane lost"],
  ])("%s", async (_what, thrown, reason) => {
    await using bus = await line({ LOG_LEVEL: "fatal" });
    await bus.metro.create(["B"]);
    await bus.stop(
      "A",
      (n: number) => {
        if (n === 1) throw thrown;
        return n;
      },
      once,
    );
    for (const n of [1, 2]) await bus.metro.send("A", n, { route: ["B"] });
    expect((await bus.records("B", 1)).map((record) => json(record)["payload"])).toEqual([2]);
    expect(letterHeaders((await bus.records("Error", 1))[0]!)).toMatchObject({ reason });
    expect(await bus.counts("A")).toEqual({ forwarded: { B: 1 }, dead: { [reason]: 1 } });
  });
});

describe("an odd result", () => {
  const outcome = async (callback: (message: object, context: StopContext) => unknown) => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    await bus.stop("A", callback as never, once);
    await bus.metro.send("A", {}, { route: ["B"] });
    await eventually(async () => (await bus.metro.state("A"))[0]!.position === 1n);
    return await bus.counts("A");
  };

  test.each([
    ["no route", () => routed({}, undefined as never)],
    ["text for a route", () => routed({}, "Log" as never)],
    ["NaN", () => NaN],
    ["a function", () => () => 1],
  ])("%s is a dead letter that says so", async (_what, callback) => {
    const { dead = {} } = await outcome(callback);
    expect(Object.keys(dead)).toEqual([expect.stringMatching(/^(bad route|unusable result)$/)]);
  });

  test("a drop or null given a route is dropped", async () => {
    expect(await outcome((_message, context) => routed(context.drop("why") as never, ["B"]))).toEqual({
      dropped: { why: 1 },
    });
    expect(await outcome(() => routed(null as never, ["B"]))).toEqual({ dropped: { "returned null": 1 } });
  });

  test("a drop that was called and not returned is no forwarding: it counts, or the error says what is missing", async () => {
    expect(await outcome((_message, context) => void context.drop("cheap"))).toEqual({ dropped: { cheap: 1 } });
    expect(await outcome((message, context) => (context.drop("cheap"), message))).toEqual({
      dead: { "unusable result": 1 },
    });
  });

  test("a thenable that is no promise is awaited", async () => {
    const then = (resolve: (value: unknown) => void) => void setImmediate(() => resolve({ ok: 1 }));
    // oxlint-disable-next-line unicorn/no-thenable -- it is what is tried
    const thenable = Object.fromEntries([["then", then]]);
    expect(await outcome(() => thenable)).toEqual({ forwarded: { B: 1 } });
  });
});

test("what a failed attempt did to the message is undone before the next", async () => {
  await using bus = await line();
  await bus.metro.create(["B", "Evil"]);
  const seen: unknown[] = [];
  await bus.stop(
    "A",
    (message: { n: number; list: number[] }, { attempt, header }) => {
      seen.push(structuredClone({ message, route: header!.route }));
      message.n++;
      message.list.push(attempt);
      (header!.route as string[]).push("Evil");
      if (attempt < 3) throw new Error("not yet");
      (header!.route as string[]).pop();
      return message;
    },
    { retries: { baseMs: 1 } },
  );
  await bus.metro.send("A", { n: 1, list: [] }, { route: ["B"] });
  expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ n: 2, list: [3] });
  expect(seen).toEqual(Array.from({ length: 3 }, () => ({ message: { n: 1, list: [] }, route: ["B"] })));
});

test("one's own isRetryable is not asked of what no retry can help", async () => {
  await using bus = await line();
  const tried: number[] = [];
  await bus.stop("A", (_message, { attempt }) => (tried.push(attempt), routed({}, ["no topic's name"])), {
    retries: { baseMs: 1 },
    isRetryable: () => true,
  });
  await bus.metro.send("A", {}, { route: [] });
  await bus.records("Error", 1);
  expect(tried).toEqual([1]);
});

test("of an error the log tells name, message, stack, code and causes: not the requests that clients hang on it", async () => {
  const program = `
    import { createLogger } from "./runtime/logger.ts";
    const log = createLogger({ logLevel: "info", logFormat: "json" });
    const request = { headers: { Authorization: "Bearer S3CRET" }, body: "S3CRET" };
    const cause = Object.assign(new Error("cause"), { request });
    const err = Object.assign(new Error("m".repeat(3_000_000), { cause }), { code: "ERR_BAD", config: request });
    log.error({ err }, "failed");
    err.cause = err;
    log.error(err, "a circle");`;
  const { stderr } = await start([process.execPath, "--input-type=module", "-e", program]).ended;
  const [first, second] = stderr.trimEnd().split("\n");
  expect(JSON.parse(first!)).toMatchObject({
    msg: "failed",
    err: { type: "Error", code: "ERR_BAD", message: "m".repeat(1_024), cause: { type: "Error", message: "cause" } },
  });
  expect(JSON.parse(second!)).toMatchObject({ msg: "a circle", err: { cause: { cause: { type: "Error" } } } });
  expect(stderr).not.toContain("S3CRET");
  expect(stderr.length).toBeLessThan(50_000);
});
