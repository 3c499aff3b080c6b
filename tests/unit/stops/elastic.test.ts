import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { dailyIndex, elastic } from "../../../stops/elastic.ts";

const never = new AbortController().signal;
const document = (id: string) => ({ id, at: Date.UTC(2026, 0, 31), body: { x: 1 } });
let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A search server that answers each bulk request with what `answer` makes of its lines. */
async function searchServer(answer: (lines: string[]) => { status: number; body: unknown } | null): Promise<string> {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const result = answer(Buffer.concat(chunks).toString().trimEnd().split("\n"));
      const { status, body } = result ?? {};
      if (status) response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server!.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("the index is of the day in UTC", () => {
  expect(dailyIndex(Date.UTC(2026, 11, 31, 23, 59, 59, 999))).toBe("metro-bus-2026-12-31");
});

test("a batch has at most 500 documents", async () => {
  const sizes: number[] = [];
  const url = await searchServer((lines) => {
    sizes.push(lines.length / 2);
    return {
      status: 200,
      body: { items: Array.from({ length: lines.length / 2 }, () => ({ index: { status: 201 } })) },
    };
  });
  const index = elastic(url);
  await Promise.all(Array.from({ length: 1_100 }, (_, n) => index(document(String(n)), never)));
  expect(sizes.toSorted((a, b) => b - a)).toEqual([500, 500, 100]);
});

test("an item that is refused as one too many, or by the server's own fault, may be tried again; its neighbours are not", async () => {
  const statuses = [201, 429, 503, 400];
  const url = await searchServer(() => ({
    status: 200,
    body: { errors: true, items: statuses.map((status) => ({ index: { status, error: { type: "t", reason: "r" } } })) },
  }));
  const index = elastic(url);
  const results = await Promise.allSettled(statuses.map((status) => index(document(String(status)), never)));
  expect(results).toEqual([
    { status: "fulfilled", value: undefined },
    { status: "rejected", reason: expect.objectContaining({ retryable: true }) },
    { status: "rejected", reason: expect.objectContaining({ retryable: true }) },
    { status: "rejected", reason: expect.objectContaining({ retryable: false, message: "not indexed: t: r" }) },
  ]);
});

test.for([
  [503, true],
  [403, false],
] as const)("a request answered with %i: trying again can help: %s", async ([status, retryable]) => {
  const url = await searchServer(() => ({ status, body: {} }));
  await expect(elastic(url)(document("a"), never)).rejects.toMatchObject({ retryable });
});

test.for(["<html>Welcome to nginx</html>", {}, null, { items: 3 }, { items: [null] }, "x".repeat(1_000)])(
  "an answer of 200 that is no bulk answer, %j, may be tried again, and is quoted",
  async (body) => {
    const url = await searchServer(() => ({ status: 200, body }));
    const quoted = (typeof body === "string" ? body : JSON.stringify(body)).slice(0, 200);
    await expect(elastic(url)(document("a"), never)).rejects.toMatchObject({
      retryable: true,
      message: `${url}/_bulk answered what is no bulk answer: ${quoted}: is it OpenSearch or Elasticsearch?`,
    });
  },
);

test("a server that is down is a failure that may be tried again, and says where it should be", async () => {
  const url = await searchServer(() => null);
  await new Promise((resolve) => server!.close(resolve));
  await expect(elastic(url)(document("a"), never)).rejects.toMatchObject({
    retryable: true,
    message: expect.stringContaining(url),
  });
});

test("an aborted document fails at once with the signal's reason, while its batch is under way", async () => {
  const asked = Promise.withResolvers<void>();
  const url = await searchServer(() => {
    asked.resolve();
    return null;
  });
  const abort = new AbortController();
  const indexed = elastic(url)(document("a"), abort.signal);
  await asked.promise;
  abort.abort(new Error("time is up"));
  await expect(indexed).rejects.toThrow("time is up");
});
