import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { composeProject, hasCompose } from "../support/compose.ts";
import { freePort, hasDocker } from "../support/docker.ts";

/** The pipeline as `docker compose up --build` runs it. What it should count is computed here, from the data alone. */

const found = (await hasCompose()) && (await hasDocker());
if (!found && process.env["CI"] === "true") throw new Error("CI=true, and there is no Docker with compose");

const PORT = String(await freePort());
const STOPS = ["busdriver", "contactpoint", "whitelist", "log"];
const pipeline = composeProject(`metrobus-e2e-${randomBytes(3).toString("hex")}`, { PORT, COUNT: "1000", RATE: "0" });
const { compose, docker } = pipeline;
const WITHIN = { timeout: 120_000, interval: 500 };

describe.skipIf(!found)("docker compose (needs Docker with compose)", () => {
  beforeAll(() => compose("up", "--build", "--detach"), 600_000);
  afterAll(() => compose("down", "--volumes", "--timeout", "2"));

  test("after 1,000 pushed messages the page shows what the data says", async () => {
    await vi.waitFor(async () => expect(await counter()).toEqual(await expectedCounter()), WITHIN);
    const { Source, AddEmail, WhiteList, Log } = await expectedCounter();
    expect(Source).toBe(1_000);
    const { stops } = await json<{ stops: Record<string, unknown>[] }>("/api/v1/stops");
    expect(Object.fromEntries(stops.map((stop) => [stop["stop"], stop]))).toMatchObject({
      Source: { processed: 1_000, forwarded: 1_000, dropped: 0, dead: 0 },
      AddEmail: { processed: AddEmail, forwarded: WhiteList, dropped: AddEmail! - WhiteList!, dead: 0 },
      WhiteList: { processed: WhiteList, forwarded: Log, dropped: WhiteList! - Log!, dead: 0 },
      Log: { processed: Log, arrived: Log, dropped: 0, dead: 0 },
    });
    // Every outcome is in the demo: about a third of the accounts is known, about half of those on the list.
    expect(Log).toBeGreaterThan(0);
    expect(Log).toBeLessThan(WhiteList!);
    expect(WhiteList).toBeLessThan(AddEmail!);
  });

  test("every container of ours runs without root, and none was started twice", async () => {
    for (const service of [...STOPS, "web-status", "pusher", "gen"]) {
      for (const id of await pipeline.ids(service)) {
        const [container] = await pipeline.inspect(id);
        expect(container).toMatchObject({ RestartCount: 0, Config: { User: "node" } });
      }
    }
  });

  test("stops that are told to end in the middle of the work end in order", async () => {
    await composeProject(pipeline.name, { PORT, COUNT: "100000", RATE: "200" }).compose("up", "--detach");
    await vi.waitFor(async () => expect((await counter())["Source"]).toBeGreaterThan(1_100), WITHIN);
    await compose("stop");
    for (const service of [...STOPS, "web-status"]) {
      const [id] = await pipeline.ids(service);
      // 137 would be Docker's SIGKILL at the end of stop_grace_period.
      expect(await pipeline.inspect(id!)).toMatchObject([
        { State: { Status: "exited", ExitCode: 0 }, RestartCount: 0 },
      ]);
    }
    await compose("down");
  });

  test("the next `up` goes on where the last one stopped, shared by three members", async () => {
    await compose("up", "--detach", "--scale", "whitelist=3");
    await vi.waitFor(async () => {
      const lines = (await kafka("consumer-groups", "--describe", "--members", "--group", "metrobus.WhiteList"))
        .split("\n")
        .filter((line) => line.startsWith("metrobus.WhiteList "));
      expect(lines.map((line) => Number(line.trim().split(/\s+/).at(-1))).toSorted((a, b) => a - b)).toEqual([1, 1, 2]);
    }, WITHIN);
    await vi.waitFor(async () => {
      const pushers = await Promise.all((await pipeline.ids("pusher")).map(pipeline.inspect));
      expect(pushers).toMatchObject([[{ State: { Status: "exited", ExitCode: 0 } }]]);
      expect(await counter()).toEqual(await expectedCounter());
    }, WITHIN);
    expect((await counter())["Source"]).toBeGreaterThan(2_100);
  });
});

async function json<T>(path: string): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${PORT}${path}`, { headers: { accept: "application/json" } });
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

/** The original's counts: topic → messages processed. */
async function counter(): Promise<Record<string, number>> {
  const { hit_count: hits, ...counts } = await json<Record<string, number>>("/");
  expect(hits).toBeGreaterThan(0);
  return counts;
}

/** What the demo's rules make of the messages that lie in Source. */
async function expectedCounter(): Promise<Record<string, number>> {
  const accounts = await accountsInSource();
  const emails = new Map((await dataLines("emails.dat")).map((line) => line.split(",") as [string, string]));
  const allowed = new Set(await dataLines("whitelist.dat"));
  const known = accounts.map((account) => emails.get(account)).filter((email) => email !== undefined);
  const listed = known.filter((email) => allowed.has(email));
  return { Source: accounts.length, AddEmail: accounts.length, WhiteList: known.length, Log: listed.length };
}

async function accountsInSource(): Promise<string[]> {
  const offsets = (await kafka("get-offsets", "--topic", "Source")).split("\n");
  const count = offsets.reduce((sum, line) => sum + Number(line.split(":")[2]), 0);
  const records = await kafka(
    "console-consumer",
    "--topic",
    "Source",
    "--from-beginning",
    "--max-messages",
    `${count}`,
  );
  return records.split("\n").map((line) => String((JSON.parse(line) as { account_number: number }).account_number));
}

const data = new Map<string, string[]>();

async function dataLines(name: string): Promise<string[]> {
  const lines = data.get(name) ?? (await compose("exec", "-T", "log", "cat", `data/${name}`)).split("\n");
  data.set(name, lines);
  return lines;
}

async function kafka(tool: string, ...args: string[]): Promise<string> {
  const [id] = await pipeline.ids("kafka");
  return docker(["exec", id!, `/opt/kafka/bin/kafka-${tool}.sh`, "--bootstrap-server", "localhost:9092", ...args]);
}
