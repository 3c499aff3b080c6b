import { GenericContainer, Wait, type StartedTestContainer } from "testcontainers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dailyIndex, elastic } from "../../stops/elastic.ts";
import { hasDocker } from "../support/docker.ts";

const day = Date.UTC(2026, 0, 31, 23, 59, 59);
const never = new AbortController().signal;
let url: string;

async function search(index: string): Promise<Map<string, object>> {
  await fetch(`${url}/${index}/_refresh`, { method: "POST" });
  const response = await fetch(`${url}/${index}/_search?size=10000`);
  const { hits } = (await response.json()) as { hits: { hits: { _id: string; _source: object }[] } };
  return new Map(hits.hits.map(({ _id, _source }) => [_id, _source]));
}

describe.skipIf(!(await hasDocker()))("indexing on a real OpenSearch", () => {
  let server: StartedTestContainer;

  beforeAll(async () => {
    server = await new GenericContainer("opensearchproject/opensearch:3.8.0")
      .withEnvironment({
        "discovery.type": "single-node",
        DISABLE_SECURITY_PLUGIN: "true",
        DISABLE_INSTALL_DEMO_CONFIG: "true",
        OPENSEARCH_JAVA_OPTS: "-Xms512m -Xmx512m",
      })
      .withExposedPorts(9200)
      .withWaitStrategy(Wait.forHttp("/_cluster/health?wait_for_status=yellow", 9200))
      .withStartupTimeout(150_000)
      .start();
    url = `http://${server.getHost()}:${server.getMappedPort(9200)}`;
  });
  afterAll(() => server?.stop());

  test("documents stand under their ids in the index of their day, UTC", async () => {
    const index = elastic(url);
    await Promise.all([
      index({ id: "a", at: day, body: { x: 1, email: "ann@example.com" } }, never),
      index({ id: "b", at: day + 1_000, body: { x: 2 } }, never),
    ]);
    expect(await search("metro-bus-2026-01-31")).toEqual(new Map([["a", { x: 1, email: "ann@example.com" }]]));
    expect(await search("metro-bus-2026-02-01")).toEqual(new Map([["b", { x: 2 }]]));
  });

  test("a message that comes again takes its own place", async () => {
    const index = elastic(url);
    const at = Date.UTC(2026, 2, 1);
    await index({ id: "again", at, body: { x: 1 } }, never);
    await index({ id: "again", at, body: { x: 1 } }, never);
    expect(await search(dailyIndex(at))).toEqual(new Map([["again", { x: 1 }]]));
  });

  test("more documents than a batch holds are all there", async () => {
    const index = elastic(url);
    const at = Date.UTC(2026, 3, 1);
    const ids = Array.from({ length: 1_234 }, (_, number) => `n${number}`);
    await Promise.all(ids.map((id, x) => index({ id, at, body: { x } }, never)));
    expect([...(await search(dailyIndex(at))).keys()].toSorted()).toEqual(ids.toSorted());
  });

  test("a document that does not fit the index fails for good, the others of its batch are indexed", async () => {
    const index = elastic(url);
    const at = Date.UTC(2026, 4, 1);
    await index({ id: "first", at, body: { x: 1 } }, never);
    const results = await Promise.allSettled([
      index({ id: "good", at, body: { x: 2 } }, never),
      index({ id: "bad", at, body: { x: "no number" } }, never),
      index({ id: "fine", at, body: { x: 3 } }, never),
    ]);
    expect(results).toEqual([
      { status: "fulfilled", value: undefined },
      {
        status: "rejected",
        reason: expect.objectContaining({ retryable: false, message: expect.stringContaining("mapper_parsing") }),
      },
      { status: "fulfilled", value: undefined },
    ]);
    expect([...(await search(dailyIndex(at))).keys()].toSorted()).toEqual(["fine", "first", "good"]);
  });
});
