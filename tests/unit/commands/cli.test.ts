import { readFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { metrobus } from "../../support/program.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "metrobus-"))));
afterEach(() => rm(folder, { recursive: true }));

test("--version is the package's", async () => {
  const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
  expect(await metrobus(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help names every command, examples and the exit codes", async () => {
  const { code, stdout } = await metrobus(["--help"]);
  expect(code).toBe(0);
  for (const word of ["demo", "push", "gen", "web", "run", "errors", "Examples:", "Exit codes:"])
    expect(stdout).toContain(word);
});

test.for([[["drive"]], [["push", "--count", "many"]], [["gen", "--speed", "9"]], [["run"]]])(
  "%j is wrong usage: exit code 2, no stack trace",
  async ([args]) => {
    const { code, stdout, stderr } = await metrobus(args!);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toContain("    at ");
  },
);

test("wrong settings are told all at once: exit code 2, no stack trace", async () => {
  const { code, stderr } = await metrobus(["push"], { KAFKA_PORT: "none", METROBUS_ATTEMPTS: "0" });
  expect(code).toBe(2);
  expect(stderr).toContain('KAFKA_PORT="none"');
  expect(stderr).toContain('METROBUS_ATTEMPTS="0"');
  expect(stderr).not.toContain("    at ");
});

test("LOG_LEVEL=debug shows where an error comes from", async () => {
  const { code, stderr } = await metrobus(["run", "nowhere.ts"], { LOG_LEVEL: "debug" });
  expect(code).toBe(2);
  expect(stderr).toContain("    at ");
});

test("--settings sets what the environment does not", async () => {
  const file = join(folder, "settings.env");
  await writeFile(file, `# where the data lies\nMETROBUS_DATA=${folder}/from-file\n`);
  await metrobus(["gen", "--settings", file]);
  expect(await readdir(join(folder, "from-file"))).toEqual(["emails.dat", "whitelist.dat"]);
  await metrobus(["--settings", file, "gen"], { METROBUS_DATA: join(folder, "from-environment") });
  expect(await readdir(join(folder, "from-environment"))).toEqual(["emails.dat", "whitelist.dat"]);
});

test("--settings that are not there are an error that names the file and the remedy", async () => {
  const { code, stdout, stderr } = await metrobus(["--settings", "missing.env", "gen"]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^metrobus: --settings missing\.env can't be read \(.*\): correct the path\n$/);
});
