import { Unavailable } from "metrobus";
import { expect, test } from "vitest";
import { busdriver } from "../../../busdriver/busdriver.ts";
import { contactPoint } from "../../../stops/contact-point.ts";
import { log, logOptions } from "../../../stops/log.ts";
import { whitelist } from "../../../stops/whitelist.ts";
import { letterHeaders, line, type Line } from "../../support/line.ts";

const emails = new Map([
  [1000003, "ann@example.com"],
  [1000004, "eve@example.com"],
]);
const list = new Set(["ann@example.com"]);

async function pipeline(): Promise<Line & { printed: string[] }> {
  const demo = await line();
  const printed: string[] = [];
  await demo.stop("Source", busdriver, { input: "raw", creates: ["AddEmail", "WhiteList", "Log"] });
  await demo.stop("AddEmail", contactPoint(emails));
  await demo.stop("WhiteList", whitelist(list));
  await demo.stop("Log", log({ print: (text) => printed.push(text) }));
  return { ...demo, printed, [Symbol.asyncDispose]: () => demo[Symbol.asyncDispose]() };
}

const order = (account_number: number) => ({ x: 0, message_type_code: "ALTABC", account_number });

test("a known account on the list is logged with its address, the mark and the time", async () => {
  await using demo = await pipeline();
  const before = Date.now();
  await demo.metro.send("Source", order(1000003));
  await expect.poll(() => demo.counts("Log")).toEqual({ arrived: { "": 1 } });
  const logged = JSON.parse(demo.printed[0]!) as { metrobus_inserted_timestamp: number };
  expect(logged).toEqual({
    ...order(1000003),
    email: "ann@example.com",
    whitelist: true,
    metrobus_inserted_timestamp: expect.any(Number),
  });
  expect(logged.metrobus_inserted_timestamp).toBeGreaterThanOrEqual(before);
  expect(demo.printed).toHaveLength(1);
});

test("an unknown account ends at AddEmail, one that is not listed at WhiteList, each with its reason", async () => {
  await using demo = await pipeline();
  for (const account of [1000004, 1000005]) await demo.metro.send("Source", order(account));
  await expect.poll(() => demo.counts("WhiteList")).toEqual({ dropped: { "not on the white list": 1 } });
  await expect
    .poll(() => demo.counts("AddEmail"))
    .toEqual({ dropped: { "unknown account": 1 }, forwarded: { WhiteList: 1 } });
  expect(demo.printed).toEqual([]);
});

test.for([
  { message_type_code: "ALTXYZ" },
  { message_type_code: 7 },
  { message_type_code: "constructor" },
  {},
  null,
  [],
  "text",
])("a message of an unknown type, %j, is a dead letter at once that names the type", async (message) => {
  await using demo = await pipeline();
  await demo.metro.send("Source", message);
  const [letter] = await demo.records("Error", 1);
  const type = (message as { message_type_code?: unknown } | null)?.message_type_code;
  expect(letterHeaders(letter!)).toMatchObject({
    reason: "unknown message type",
    message: expect.stringContaining(`message_type_code ${JSON.stringify(type)}`),
    attempts: "1",
  });
});

test("a message is indexed under its id, on the day it boarded, before it is printed", async () => {
  await using demo = await line();
  const indexed: { id: string; at: number }[] = [];
  const printed: string[] = [];
  const index = ({ id, at, body }: { id: string; at: number; body: object }) => {
    indexed.push({ id, at, ...body });
    expect(printed).toEqual([]);
    return Promise.resolve();
  };
  await demo.stop("Log", log({ print: (text) => printed.push(text), index }));
  const header = {
    route: [],
    original_route: ["Log"],
    historical_route: ["Log"],
    id: "m-1",
    boarded: 1_700_000_000_000,
  };
  const value = Buffer.from(JSON.stringify({ header, payload: { x: 1 } }));
  await demo.metro.bus.send([{ topic: "Log", key: null, value, headers: [] }]);
  await expect.poll(() => printed.length).toBe(1);
  expect(indexed).toEqual([
    { id: "m-1", at: 1_700_000_000_000, x: 1, metrobus_inserted_timestamp: expect.any(Number) },
  ]);
});

test.for(["text", [1, 2], 7, false])("a payload without fields, %j, is printed and indexed whole", async (payload) => {
  await using demo = await line();
  const printed: unknown[] = [];
  const indexed: unknown[] = [];
  const index = async ({ body }: { body: object }) => void indexed.push(body);
  await demo.stop("Log", log({ print: (text) => printed.push(JSON.parse(text)), index }));
  await demo.metro.send("Log", payload, { route: [] });
  await expect.poll(() => printed).toEqual([{ payload, metrobus_inserted_timestamp: expect.any(Number) }]);
  expect(indexed).toEqual(printed);
});

test("a message whose index is away for a few attempts is logged once it is back", async () => {
  await using demo = await line();
  const printed: string[] = [];
  let down = 5;
  const index = async () => {
    if (down-- > 0) throw new Unavailable("the index is away");
  };
  const target = { print: (text: string) => printed.push(text), index };
  await demo.stop("Log", log(target), { ...logOptions, retries: { ...logOptions.retries, baseMs: 1 } });
  await demo.metro.send("Log", { x: 1 }, { route: [] });
  await expect.poll(() => demo.counts("Log")).toEqual({ arrived: { "": 1 } });
  expect(printed).toHaveLength(1);
});
