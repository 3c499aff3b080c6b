import { expect, test } from "vitest";
import { start } from "../../support/program.ts";

const env = { METROBUS_BUS: "memory", METROBUS_STATS: "redis", PORT: "0" };

test("where stdout is full the page ends with one line that says so", async () => {
  const shell = `exec "${process.execPath}" runtime/cli.ts web >/dev/full`;
  const { code, stderr } = await start(["sh", "-c", shell], env).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^metrobus: stdout can't be written \(ENOSPC.*\): make room.*$/m);
  expect(stderr).not.toContain("    at ");
});
