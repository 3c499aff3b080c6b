import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { metrobus, start } from "../../support/program.ts";

/** No Redis needs to be there: the page says so itself. */
const env = { METROBUS_STATS: "redis", REDIS_URL: "redis://127.0.0.1:1" };

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

test.for([{ METROBUS_STATS: "memory" }, { METROBUS_BUS: "memory" }])(
  "web with %o would never see a count: it says so and names the demo",
  async (memory) => {
    const { code, stderr } = await metrobus(["web"], { ...memory, PORT: "0" });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^metrobus: METROBUS_STATS=memory.*METROBUS_STATS=redis.*metrobus demo.*\n$/);
  },
);
