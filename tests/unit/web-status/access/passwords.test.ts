import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { hashPassword } from "../../../../runtime/operator-hash.ts";
import type { Settings } from "../../../../runtime/settings.ts";
import { guardedPage, type GuardedPage } from "../../../support/guarded-page.ts";

const PASSWORD = "correct horse battery";

let settings: Settings;
beforeAll(async () => {
  const hashes = await Promise.all([1, 2].map(() => hashPassword(PASSWORD, { log2N: 14, r: 8, p: 1 })));
  settings = { WEB_OPERATORS: `ann:${hashes[0]},bob:${hashes[1]}`, WEB_TRUST_PROXY: "127.0.0.1" };
});
afterEach(() => void vi.useRealTimers());

const from = (address: string) => ({ "x-forwarded-for": address });
const tryIt = (page: GuardedPage, address: string, name: string, password: string) =>
  page.ask("/log-in", from(address), { name, password });
const statuses = async (answers: readonly ReturnType<typeof tryIt>[]) =>
  (await Promise.all(answers)).map(({ status }) => status);

/** How often there was which status. */
const tally = (found: readonly number[]) =>
  Object.fromEntries([...Map.groupBy(found, String)].map(([status, all]) => [status, all.length]));
/** `times` guesses, all at once. */
const guess = async (page: GuardedPage, times: number, address: string, name: (nth: number) => string) =>
  tally(
    await statuses(Array.from({ length: times }, (_, nth) => tryIt(page, address, name(nth), `guess number ${nth}`))),
  );

test("who guesses has ten guesses in 15 minutes, also all at once, and then not even the right password helps", async () => {
  await using page = await guardedPage(settings);
  vi.useFakeTimers({ toFake: ["Date"] });
  expect(await guess(page, 15, "203.0.113.9", () => "ann")).toEqual({ 401: 10, 429: 5 });
  const { status, headers, body } = await tryIt(page, "203.0.113.9", "ann", PASSWORD);
  expect([status, body.error]).toEqual([429, "too many wrong passwords: try again in 15 min"]);
  expect(Number(headers["retry-after"])).toBeGreaterThan(14 * 60);
  vi.setSystemTime(Date.now() + Number(headers["retry-after"]) * 1_000);
  expect((await tryIt(page, "203.0.113.9", "ann", PASSWORD)).status).toBe(200);
});

test("he locks out neither the operator elsewhere, nor others at his address", async () => {
  await using page = await guardedPage(settings);
  await guess(page, 11, "203.0.113.9", () => "ann");
  expect(
    await statuses([
      tryIt(page, "203.0.113.9", "ann", PASSWORD),
      tryIt(page, "203.0.113.10", "ann", PASSWORD),
      tryIt(page, "2001:db8::9", "ann", PASSWORD),
      tryIt(page, "203.0.113.9", "bob", PASSWORD),
    ]),
  ).toEqual([429, 200, 200, 200]);
});

test("with ever other names he has 50 guesses", async () => {
  await using page = await guardedPage(settings);
  const answers = await guess(page, 52, "203.0.113.9", (nth) => `name${nth}`);
  expect(answers).toEqual({ 401: 50, 429: 2 });
  expect(
    await statuses([tryIt(page, "203.0.113.9", "bob", PASSWORD), tryIt(page, "203.0.113.8", "bob", PASSWORD)]),
  ).toEqual([429, 200]);
});

test("the addresses of one IPv6 network are one, and one that he claims before the proxy's is none", async () => {
  await using page = await guardedPage(settings);
  for (let nth = 0; nth < 10; nth++)
    await tryIt(page, `${nth}.0.0.1, 2001:db8:1:2::${nth}`, "ann", `guess number ${nth}`);
  expect(
    await statuses([
      tryIt(page, "2001:db8:1:2:ffff::1", "ann", PASSWORD),
      tryIt(page, "0.0.0.1, 2001:db8:1:2::1, 127.0.0.1", "ann", PASSWORD),
      tryIt(page, "2001:db8:1:3::1", "ann", PASSWORD),
    ]),
  ).toEqual([429, 429, 200]);
});

test.each([
  ["203.0.113.9:", "203.0.113.9"],
  ["[2001:db8::9]:", "2001:db8::9"],
])("an address is the same with any port, as some proxies write it: %s…", async (withPort, address) => {
  await using page = await guardedPage(settings);
  for (let nth = 0; nth < 10; nth++) await tryIt(page, `${withPort}${1_000 + nth}`, "ann", `guess number ${nth}`);
  expect((await tryIt(page, address, "ann", PASSWORD)).status).toBe(429);
});

test("nobody's word for his address is taken but the proxy's", async () => {
  await using page = await guardedPage({ ...settings, WEB_TRUST_PROXY: "10.0.0.1" });
  for (let nth = 0; nth < 10; nth++) await tryIt(page, `10.0.0.${nth}`, "ann", `guess number ${nth}`);
  expect((await tryIt(page, "10.0.1.1", "ann", PASSWORD)).status).toBe(429);
});

test("programs are counted like people, and right passwords not at all", async () => {
  await using page = await guardedPage(settings);
  const api = (password: string) =>
    page.ask("/api/v1/stops", { authorization: `Basic ${Buffer.from(`ann:${password}`).toString("base64")}` });
  expect(tally(await statuses(Array.from({ length: 60 }, () => api(PASSWORD))))).toEqual({ 200: 60 });
  const wrong = await statuses(Array.from({ length: 11 }, (_, nth) => api(`guess number ${nth}`)));
  expect(tally(wrong)).toEqual({ 401: 10, 429: 1 });
  expect((await api(PASSWORD)).status).toBe(429);
});
