import { beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../../runtime/operator-hash.ts";
import type { Settings } from "../../../../runtime/settings.ts";
import { guardedPage } from "../../../support/guarded-page.ts";

const PASSWORD = "correct horse battery";
const BY_PROXY = { WEB_TRUST_HEADER: "X-User", WEB_TRUST_PROXY: "127.0.0.1" };

let operators: Settings;
beforeAll(async () => {
  operators = { WEB_OPERATORS: `ann:${await hashPassword(PASSWORD, { log2N: 14, r: 8, p: 1 })}` };
});

/** A page at `page.lan:5000`, as the browser calls it. */
const host = "page.lan:5000";
const basic = { authorization: `Basic ${Buffer.from(`ann:${PASSWORD}`).toString("base64")}` };

describe("a request that changes something, with a session,", () => {
  test.each([
    [{ "sec-fetch-site": "same-origin" }, 200],
    [{ "sec-fetch-site": "none" }, 200],
    [{ "sec-fetch-site": "same-origin", origin: "http://other.lan" }, 200],
    [{ "sec-fetch-site": "same-site" }, 403],
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ "sec-fetch-site": "cross-site", origin: "http://page.lan:5000" }, 403],
    [{ "sec-fetch-site": "" }, 403],
    [{ origin: "http://page.lan:5000" }, 200],
    [{ origin: "https://PAGE.lan:5000" }, 200],
    [{ origin: "http://page.lan:5001" }, 403],
    [{ origin: "http://page.lan" }, 403],
    [{ origin: "http://evil.page.lan:5000" }, 403],
    [{ origin: "http://page.lan:5000.evil.com" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "file://" }, 403],
    [{ origin: "http://other.lan", "x-forwarded-host": "other.lan" }, 403],
    [{}, 403],
  ] as [Record<string, string>, number][])("and %j is answered with %d", async (headers, status) => {
    await using page = await guardedPage(operators);
    const cookie = await page.logIn("ann", PASSWORD);
    expect((await page.ask("/pause", { host, cookie, ...headers }, {})).status).toBe(status);
    expect((await page.ask("/", { host, cookie, ...headers })).status).toBe(200);
  });

  test.each([
    [{ host: "page.lan", origin: "http://page.lan:80" }, 200],
    [{ host: "page.lan:443", origin: "https://page.lan" }, 200],
    [{ host: "[::1]:5000", origin: "http://[0:0::1]:5000" }, 200],
    [{ host: "", origin: "http://page.lan" }, 403],
  ])("is known as the page's own in every way of writing it: %j", async (headers, status) => {
    await using page = await guardedPage(operators);
    const cookie = await page.logIn("ann", PASSWORD);
    expect((await page.ask("/pause", { cookie, ...headers }, {})).status).toBe(status);
  });
});

test("a log-in is one too: nobody is logged in as somebody else by another site", async () => {
  await using page = await guardedPage(operators);
  const form = { name: "ann", password: PASSWORD };
  const { status, headers } = await page.ask("/log-in", { host, origin: "http://other.lan" }, form);
  expect(status).toBe(403);
  expect(headers).not.toHaveProperty("set-cookie");
});

test("the error says what does not fit, and the remedies", async () => {
  await using page = await guardedPage(operators);
  const { body } = await page.ask("/pause", { host, origin: "http://other.lan" }, {});
  expect(body.error).toContain('"http://other.lan"');
  expect(body.error).toContain('"page.lan:5000"');
  expect(body.error).toMatch(/X-Forwarded-Host .*WEB_TRUST_PROXY/);
  const hidden = await page.ask("/pause", { host, origin: "null" }, {});
  expect(hidden.body.error).toContain("Referrer-Policy");
});

describe("a program", () => {
  test("that gives its name and password needs not tell where it comes from", async () => {
    await using page = await guardedPage(operators);
    expect((await page.ask("/api/v1/pause", basic, {})).body).toMatchObject({ name: "ann", mayAct: true });
  });

  test("that is a browser on another site's page gets nowhere with them", async () => {
    await using page = await guardedPage(operators);
    for (const headers of [{ origin: "http://other.lan" }, { "sec-fetch-site": "cross-site" }])
      expect((await page.ask("/api/v1/pause", { ...basic, ...headers }, {})).status).toBe(403);
  });
});

describe("behind a proxy", () => {
  test("that knows who it is, a request has to tell where it comes from", async () => {
    await using page = await guardedPage(BY_PROXY);
    const proxied = (headers: Record<string, string>) => page.ask("/pause", { host, "x-user": "ann", ...headers }, {});
    expect((await proxied({})).status).toBe(403);
    expect((await proxied({ origin: "http://other.lan" })).status).toBe(403);
    expect((await proxied({ origin: "http://page.lan:5000" })).body).toMatchObject({ mayAct: true });
  });

  test("that changes the host, the page's own is what the proxy says", async () => {
    await using page = await guardedPage(BY_PROXY);
    const own = { "x-user": "ann", origin: "https://page.example", "x-forwarded-host": "page.example" };
    expect((await page.ask("/pause", own, {})).status).toBe(200);
    expect((await page.ask("/pause", { ...own, origin: `http://${page.host}` }, {})).status).toBe(403);
  });
});
