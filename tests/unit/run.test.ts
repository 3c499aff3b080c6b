import { spawn } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/probe.ts";

const ALONE = 'await new MetroStop("A", () => null).run(); console.log("over");';

/** Runs the fixture that gets a message. */
const begin = (how: string, settings: Record<string, string> = {}) =>
  spawned(["tests/unit/fixtures/counting-stop.ts", how], settings);
const program = (code: string, settings: Record<string, string> = {}) =>
  spawned(["--input-type=module", "-e", `import { MetroStop, connect } from "metrobus"; ${code}`], settings);

function spawned(args: readonly string[], settings: Record<string, string>) {
  const env = { ...process.env, METROBUS_BUS: "memory", LOG_FORMAT: "json", ...settings };
  const child = spawn(process.execPath, args, { env });
  const seen = { out: "", err: "" };
  child.stdout.on("data", (text) => (seen.out += String(text)));
  child.stderr.on("data", (text) => (seen.err += String(text)));
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
  return { child, seen, exit };
}

describe("a stop's process", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "drains at %s and exits with 0; code after run() is reached",
    async (signal) => {
      const { child, seen, exit } = begin("once");
      await eventually(() => seen.out.includes("called"));
      child.kill(signal);
      expect(await exit).toBe(0);
      expect(seen.out).toContain("over");
      expect(seen.err).toContain("the stop has ended");
    },
  );

  test("lets a callback that never ends go at SHUTDOWN_TIMEOUT", async () => {
    const { child, seen, exit } = begin("hang", { SHUTDOWN_TIMEOUT: "200ms" });
    await eventually(() => seen.out.includes("called"));
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  test("ends at once with 130 at a second signal, but not at one that comes with the first", async () => {
    const { child, seen, exit } = begin("hang", { SHUTDOWN_TIMEOUT: "1m" });
    await eventually(() => seen.out.includes("called"));
    const first = performance.now();
    child.kill("SIGINT");
    child.kill("SIGINT");
    await eventually(() => performance.now() - first > 1_100);
    expect(child.exitCode).toBeNull();
    child.kill("SIGINT");
    expect(await exit).toBe(130);
  });

  test("says all that is wrong with its configuration, without a stack, and exits with 2", async () => {
    const { seen, exit } = program(ALONE, { METROBUS_ATTEMPTS: "none", SHUTDOWN_TIMEOUT: "8" });
    expect(await exit).toBe(2);
    const { msg } = JSON.parse(seen.err) as { msg: string };
    expect(msg).toContain('METROBUS_ATTEMPTS="none"');
    expect(msg).toContain('SHUTDOWN_TIMEOUT="8"');
    expect(seen.err).not.toContain("config.ts:");
    expect(seen.out).toContain("over");
  });

  test("says which broker it did not find, and exits with 1", async () => {
    const settings = { METROBUS_BUS: "kafka", KAFKA_BROKERS: "127.0.0.1:1", METROBUS_CONNECT_TIMEOUT: "500ms" };
    const { seen, exit } = program(ALONE, settings);
    expect(await exit).toBe(1);
    expect(seen.err).toContain("127.0.0.1:1");
    expect(seen.err).toContain("METROBUS_CONNECT_TIMEOUT");
  });

  test("serves its health", async () => {
    const { child, seen, exit } = begin("once", { HEALTH_PORT: "0" });
    await eventually(() => /"health":"http:[^"]+"/.test(seen.err));
    const url = /"health":"(http:[^"]+)"/.exec(seen.err)![1]!;
    await eventually(async () => (await fetch(`${url}/readyz`)).status === 200);
    const answer = await fetch(`${url}/healthz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      ok: true,
      stops: [{ stop: "A", ready: true, stuck: false, problems: [] }],
    });
    expect((await fetch(`${url}/else`)).status).toBe(404);
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  test("whose HEALTH_PORT is taken says so once, and exits with 1", async () => {
    const taken = createServer().listen(0);
    const { port } = taken.address() as AddressInfo;
    const two = 'await Promise.all(["A", "B"].map((topic) => new MetroStop(topic, () => null).run()));';
    const { seen, exit } = program(two, { HEALTH_PORT: String(port) });
    expect(await exit).toBe(1);
    taken.close();
    expect(seen.err.trimEnd().split("\n")).toEqual([expect.stringContaining(`HEALTH_PORT=${port} can't be used`)]);
  });

  test("ends with 0 at a signal that comes while it waits for its broker", async () => {
    const settings = { METROBUS_BUS: "kafka", KAFKA_BROKERS: "127.0.0.1:1", METROBUS_CONNECT_TIMEOUT: "1h" };
    const { child, seen, exit } = program(ALONE, settings);
    await eventually(() => seen.err.includes("waiting for Kafka"));
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(seen.out).toContain("over");
  });

  test.each([
    ["a promise that nobody awaits rejects", 'void Promise.reject(new RangeError("mine"));'],
    ["a timer throws", 'setTimeout(() => { throw new RangeError("mine"); });'],
  ])("drains, says why and exits with 1 when %s", async (_what, fault) => {
    const { seen, exit } = program(`
      const stop = new MetroStop("A", async () => {
        ${fault}
        await new Promise((resolve) => setTimeout(resolve, 50));
        console.log("done");
        return {};
      });
      const bus = await connect();
      await bus.create(["A"]);
      await bus.send("A", {}, { route: [] });
      await stop.run();
      console.log((await bus.stats.read()).counter.A, "counted");`);
    expect(await exit).toBe(1);
    expect(seen.out).toBe("done\n1 counted\n");
    const logged = seen.err
      .trimEnd()
      .split("\n")
      .map((text) => JSON.parse(text) as object);
    expect(logged).toContainEqual(
      expect.objectContaining({
        level: 60,
        msg: expect.stringContaining("mine"),
        err: expect.objectContaining({ type: "RangeError" }),
      }),
    );
    expect(seen.err).toContain("the stop has ended");
  });

  test("waits for the code after run(), which closes what the stop has opened", async () => {
    const clean = 'await new Promise((resolve) => setTimeout(resolve, 1_500)); console.log("cleaned up");';
    const { child, seen, exit } = program(`${ALONE} ${clean}`);
    await eventually(() => seen.err.includes("the stop has begun"));
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(seen.out).toContain("cleaned up");
  });

  test("is not kept by what is left open for good", async () => {
    const { child, seen, exit } = program(`setInterval(() => 0, 1_000); ${ALONE}`, { SHUTDOWN_TIMEOUT: "200ms" });
    await eventually(() => seen.err.includes("the stop has begun"));
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });
});
