import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/probe.ts";

const ALONE = 'import { MetroStop } from "metrobus"; await new MetroStop("A", () => null).run(); console.log("over");';

/** Runs the fixture, or with "alone" only a stop. */
function begin(how: string, settings: Record<string, string> = {}) {
  const env = { ...process.env, METROBUS_BUS: "memory", LOG_FORMAT: "json", ...settings };
  const child = spawn(
    process.execPath,
    how === "alone" ? ["--input-type=module", "-e", ALONE] : ["tests/unit/fixtures/counting-stop.ts", how],
    { env },
  );
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
    const { seen, exit } = begin("alone", { METROBUS_ATTEMPTS: "none", SHUTDOWN_TIMEOUT: "8" });
    expect(await exit).toBe(2);
    const { msg } = JSON.parse(seen.err) as { msg: string };
    expect(msg).toContain('METROBUS_ATTEMPTS="none"');
    expect(msg).toContain('SHUTDOWN_TIMEOUT="8"');
    expect(seen.err).not.toContain("config.ts:");
    expect(seen.out).toContain("over");
  });

  test("says which broker it did not find, and exits with 1", async () => {
    const settings = { METROBUS_BUS: "kafka", KAFKA_BROKERS: "127.0.0.1:1", METROBUS_CONNECT_TIMEOUT: "500ms" };
    const { seen, exit } = begin("alone", settings);
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
});
