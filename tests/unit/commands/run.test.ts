import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { metrobus, start } from "../../support/program.ts";

const fixtures = "tests/unit/commands/fixtures";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "metrobus-"))));
afterEach(() => rm(folder, { recursive: true }));

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
  [
    "a file that is not there",
    `${fixtures}/nothing.ts`,
    new RegExp(`^metrobus: \\S+nothing\\.ts does not exist in ${process.cwd()}: correct the path$`, "m"),
  ],
  ["a folder", fixtures, /^metrobus: \S+fixtures is a folder: name the files in it/],
  ["a text", "README.md", /^metrobus: README\.md can't be imported \(Unknown file extension "\.md".*name a TypeScript/],
] as const)("%s is wrong usage, in one line", async ([, file, words]) => {
  const { code, stderr } = await metrobus(["run", file]);
  expect(code).toBe(2);
  expect(stderr).toMatch(words);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test.for([
  ["typescript.ts", "const = 7;", /can't be imported \(\S+typescript\.ts:1: /],
  ["javascript.mjs", "const = 7;", /can't be imported \(Unexpected token '='\)/],
  ["import.ts", 'import { nothing } from "node:fs";', /import\.ts:1: The requested module 'node:fs' does not provide/],
  ["package.ts", 'import "no-such-package";', /Cannot find package 'no-such-package' imported from \S+package\.ts/],
] as const)("what Node can't import, %s with %j, is wrong usage, in one line", async ([name, text, words]) => {
  const file = join(folder, name);
  await writeFile(file, text);
  const { code, stderr } = await metrobus(["run", file]);
  expect(code).toBe(2);
  expect(stderr).toMatch(words);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("an error that a file's own code throws comes with its stack", async () => {
  const file = join(folder, "own.mjs");
  await writeFile(file, "JSON.parse('{');");
  const { code, stderr } = await metrobus(["run", file]);
  expect(code).toBe(1);
  expect(stderr).toContain(`own.mjs:1:6`);
});
