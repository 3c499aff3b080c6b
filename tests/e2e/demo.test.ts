import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { orders } from "../../data-gen/pusher.ts";
import { hasTerminal, metrobus, start, type Running } from "../support/program.ts";

const CTRL_C = "\u0003";
let data: string;
let running: Running | undefined;
beforeAll(async () => void (data = await mkdtemp(join(tmpdir(), "metrobus-"))));
afterAll(() => rm(data, { recursive: true }));
afterEach(() => void running?.process.kill("SIGKILL"));

const env = () => ({ METROBUS_DATA: data, PORT: "0" });

/**
 * `npm start` in a terminal of its own: what is written to its input is typed there. In the shell's place, since some
 * shells answer a Ctrl-C with 130 whatever the program answered.
 */
function npmStart(flags: string, extra: Record<string, string> = {}): Running {
  return (running = start(["script", "-qec", `exec npm start -- ${flags}`, "/dev/null"], { ...env(), ...extra }));
}

/** What the demo says became of the messages: `dropped at AddEmail: …` → 12. */
function account(output: string) {
  const [, report = ""] = output.split("What became of ");
  const rows = [...report.matchAll(/^ {2}(dropped|logged|dead|unfinished|sum) +(\d+) *(.*?)\r?$/gm)];
  const numbers = Object.fromEntries(rows.map(([, what, count, why]) => [`${what} ${why}`.trim(), Number(count)]));
  const { "sum every message is accounted for": sum, ...ends } = numbers;
  return { pushed: Number.parseInt(report), sum, ends };
}
const total = (ends: Record<string, number>) => Object.values(ends).reduce((sum, count) => sum + count, 0);

describe.skipIf(!hasTerminal())("npm start in a terminal", () => {
  test("makes the data, shows the page and how it goes; Ctrl-C drains and accounts for every message", async () => {
    const { process, printed, ended } = npmStart("--count 1000000 --rate 200");
    const url = /http:\S+?:\d+/.exec(await printed(/The page is on http:\S+/))![0];
    expect((await fetch(url, { headers: { accept: "text/html" } })).status).toBe(200);
    await printed(/pushed \d+ of 1000000 · forwarded \d+ · dropped \d+ · logged [1-9]/);
    process.stdin!.write(CTRL_C);
    const { code, stdout } = await ended;
    const { pushed, sum, ends } = account(stdout);
    expect(code).toBe(0);
    expect(stdout).toMatch(/writing .*whitelist\.dat: 500,000 lines/);
    expect(pushed).toBeGreaterThan(0);
    expect(pushed).toBeLessThan(1_000_000);
    expect([sum, total(ends)]).toEqual([pushed, pushed]);
    expect(ends).toMatchObject({ dead: 0, unfinished: 0 });
    expect(stdout).not.toContain('"x":');
  });

  describe("with a callback that hangs", () => {
    let silent: Server;
    let asked: Promise<void>;
    beforeEach(async () => {
      const heard = Promise.withResolvers<void>();
      asked = heard.promise;
      silent = createServer(() => heard.resolve()).listen(0, "127.0.0.1");
      await new Promise((resolve) => silent.once("listening", resolve));
    });
    afterEach(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const hanging = (SHUTDOWN_TIMEOUT: string) =>
      npmStart("--count 100 --rate 0", {
        SHUTDOWN_TIMEOUT,
        ELASTIC_HOST: "127.0.0.1",
        ELASTIC_PORT: String((silent.address() as AddressInfo).port),
      });

    test("Ctrl-C ends within SHUTDOWN_TIMEOUT and tells what is unfinished", async () => {
      const { process, ended } = hanging("2s");
      await asked;
      process.stdin!.write(CTRL_C);
      const { code, stdout } = await ended;
      const { pushed, sum, ends } = account(stdout);
      expect(code).toBe(0);
      expect([pushed, sum, total(ends)]).toEqual([100, 100, 100]);
      expect(ends).toMatchObject({ logged: 0, unfinished: expect.toSatisfy((count: number) => count > 0) });
    });

    test("a second Ctrl-C, more than a second later, ends it at once with 130", async () => {
      const { process, ended } = hanging("10m");
      await asked;
      const typing = setInterval(() => process.stdin!.write(CTRL_C), 300);
      const { code, stdout } = await ended.finally(() => clearInterval(typing));
      expect(code).toBe(130);
      expect(stdout).not.toContain("What became of");
    });
  });
});

test("the demo's numbers are those that the data files and the pushed messages give, whatever bus the environment names", async () => {
  await metrobus(["gen"], env());
  const { code, stdout } = await metrobus(["demo", "--rate", "0", "--exit"], {
    ...env(),
    METROBUS_BUS: "kafka",
    METROBUS_STATS: "redis",
    KAFKA_BROKERS: "kafka.example.com:9093",
    security_protocol: "SSL",
  });
  const read = async (name: string) => (await readFile(join(data, name), "utf8")).trimEnd().split("\n");
  const emails = new Map((await read("emails.dat")).map((line) => line.split(",") as [string, string]));
  const list = new Set(await read("whitelist.dat"));
  const known = [...orders().take(1000)].flatMap(({ account_number }) => emails.get(String(account_number)) ?? []);
  const listed = known.filter((email) => list.has(email));
  expect(code).toBe(0);
  expect(account(stdout)).toEqual({
    pushed: 1000,
    sum: 1000,
    ends: {
      "dropped at AddEmail: unknown account": 1000 - known.length,
      "dropped at WhiteList: not on the white list": known.length - listed.length,
      logged: listed.length,
      dead: 0,
      unfinished: 0,
    },
  });
});

test("Ctrl-C while the data is written ends the demo before anything starts, and leaves no half file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "metrobus-"));
  running = start([process.execPath, "runtime/cli.ts", "demo"], { ...env(), METROBUS_DATA: folder });
  await running.printed(/writing .*emails\.dat/);
  running.process.kill("SIGINT");
  const { code, stdout } = await running.ended;
  expect(code).toBe(0);
  expect(stdout).not.toContain("The page is on");
  expect(account(stdout)).toMatchObject({ pushed: 0, sum: 0 });
  expect((await readdir(folder)).filter((name) => name.endsWith(".part"))).toEqual([]);
  await rm(folder, { recursive: true });
});

test("one message is one message", async () => {
  const { stdout } = await metrobus(["demo", "--rate", "0", "--count", "1", "--exit"], env());
  expect(stdout).toContain("What became of 1 message, forwarded 3 times");
});

test("--verbose prints each logged message", async () => {
  const { stdout } = await metrobus(["demo", "--rate", "0", "--count", "100", "--exit", "--verbose"], env());
  const printed = stdout.split("\n").filter((line) => line.startsWith("{"));
  expect(printed).toHaveLength(account(stdout).ends["logged"]!);
  expect(JSON.parse(printed[0]!)).toMatchObject({ whitelist: true, metrobus_inserted_timestamp: expect.any(Number) });
});

test.for([[], ["--verbose"]])(
  "demo %j ends by itself, drained and quietly, when the reader of its stdout has gone",
  async (flags) => {
    running = start([process.execPath, "runtime/cli.ts", "demo", "--rate", "500", ...flags], {
      ...env(),
      LOG_LEVEL: "warn",
    });
    await running.printed(/The page is on/);
    running.process.stdout!.destroy();
    const { code, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  },
);

test("where stdout is full the demo ends with one line that says so", async () => {
  const shell = `exec "${process.execPath}" runtime/cli.ts demo >/dev/full`;
  const { code, stderr } = await start(["sh", "-c", shell], env()).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^metrobus: stdout can't be written \(ENOSPC.*\n$/);
});

test("a port in use is one clear error", async () => {
  const other = createServer().listen(0);
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await metrobus(["demo"], { ...env(), PORT: String(port) });
  other.close();
  expect(code).toBe(2);
  expect(stderr).toMatch(new RegExp(`^metrobus: PORT=${port}: .*\n$`));
});
