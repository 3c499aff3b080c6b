import { expect, test } from "vitest";
import { metrobus, start } from "../../support/program.ts";

const fixtures = "tests/unit/commands/fixtures";

test("run runs every stop that a file exports, in one process, until SIGTERM", async () => {
  const running = start([process.execPath, "runtime/cli.ts", "run", `${fixtures}/two-stops.ts`], {
    METROBUS_BUS: "memory",
  });
  await running.printed(/"greeted":true/);
  running.process.kill("SIGTERM");
  const { code, stdout } = await running.ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: '{"name":"ann","greeted":true}\n' });
});

test.for([
  [
    "a file without a stop",
    `${fixtures}/no-stop.ts`,
    /^metrobus: \S+no-stop\.ts exports no MetroStop: add "export const stop/,
  ],
  ["a file that is not there", `${fixtures}/nothing.ts`, /^metrobus: \S+nothing\.ts does not exist/],
] as const)("%s is wrong usage, in one line", async ([, file, words]) => {
  const { code, stderr } = await metrobus(["run", file]);
  expect(code).toBe(2);
  expect(stderr).toMatch(words);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});
