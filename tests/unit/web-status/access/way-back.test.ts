import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import express from "express";
import { connect } from "metrobus";
import { expect, test } from "vitest";
import { statusPage } from "../../../../web-status/page.ts";

const BY_PROXY = { WEB_TRUST_HEADER: "X-User", WEB_TRUST_PROXY: "127.0.0.1" };
const host = "page.lan:5000";

/** The link of the answer to a form that is refused; null: it has none. */
async function backOf(headers: Record<string, string>, method = "POST"): Promise<string | null> {
  await using metro = await connect({ METROBUS_BUS: "memory", LOG_LEVEL: "silent", ...BY_PROXY });
  const page = await statusPage({ bus: metro });
  const server = createServer(express().use("/ops", page)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const path = "/ops/runs/none/stop";
    const own = { host, accept: "text/html", "x-user": "ann", "sec-fetch-site": "same-origin" };
    const request = httpRequest({ port, path, method, agent: false, headers: { ...own, ...headers } }).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return /href="([^"]*)">Back</.exec(await text(response))?.[1] ?? null;
  } finally {
    await page.end();
    server.closeAllConnections();
    server.close();
  }
}

test.each([
  ["http://page.lan:5000/ops/runs/none", "/ops/runs/none"],
  ["https://page.lan:5000/ops/letters?stop=A#x", "/ops/letters"],
  ["http://page.lan:5000/ops", "/ops"],
  ['http://page.lan:5000/ops/"><script>', "/ops/%22%3E%3Cscript%3E"],
  ["http://page.lan:5000/opsx/letters", null],
  ["http://page.lan:5000/ops/../else", null],
  ["http://page.lan:5000//evil.lan/ops/x", null],
  ["http://page.lan:5001/ops/letters", null],
  ["http://evil.lan/ops/letters", null],
  ["http://page.lan:5000@evil.lan/ops/letters", null],
  ["javascript:alert(1)", null],
  ["/ops/letters", null],
  ["", null],
])("a form that came from %j is answered with a way back to %j", async (referer, back) => {
  expect(await backOf({ referer })).toBe(back);
});

test("the host is what a trusted proxy says that was asked for", async () => {
  const proxied = { host: "10.0.0.1:80", "x-forwarded-host": host, referer: `http://${host}/ops/letters` };
  expect(await backOf(proxied)).toBe("/ops/letters");
});

test("what was only opened has no way back", async () => {
  expect(await backOf({ referer: `http://${host}/ops/letters` }, "GET")).toBeNull();
});
