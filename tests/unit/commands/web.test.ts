import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { metrobus, start } from "../../support/program.ts";

const env = { METROBUS_BUS: "memory", METROBUS_STATS: "memory" };

test("web serves the page until SIGTERM", async () => {
  const running = start([process.execPath, "runtime/cli.ts", "web"], { ...env, PORT: "0" });
  const url = /http:\S+/.exec(await running.printed(/http:\S+\n/))![0];
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  running.process.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
});

test("a port in use is one clear error", async () => {
  const other = createServer().listen(0);
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await metrobus(["web"], { ...env, PORT: String(port) });
  other.close();
  expect(code).toBe(2);
  expect(stderr).toMatch(new RegExp(`^metrobus: PORT=${port}: .*\n$`));
});
