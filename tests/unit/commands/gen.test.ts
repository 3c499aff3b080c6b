import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { metrobus, start } from "../../support/program.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "metrobus-"))));
afterEach(() => rm(folder, { recursive: true }));

test("gen writes both files, shows its progress, and leaves nothing else behind", async () => {
  const { code, stderr } = await metrobus(["gen"], { METROBUS_DATA: folder });
  expect(code).toBe(0);
  expect(await readdir(folder)).toEqual(["emails.dat", "whitelist.dat"]);
  expect(stderr).toContain(`writing ${join(folder, "whitelist.dat")}: 500,000 lines`);
});

test("gen --missing leaves a file that is there as it is", async () => {
  await writeFile(join(folder, "emails.dat"), "1000003,ann@example.com\n");
  const { stdout } = await metrobus(["gen", "--missing"], { METROBUS_DATA: folder });
  expect(stdout).toBe(`wrote ${join(folder, "whitelist.dat")}\n`);
  expect(await readFile(join(folder, "emails.dat"), "utf8")).toBe("1000003,ann@example.com\n");
});

test("gen --missing writes a file anew that is empty", async () => {
  await writeFile(join(folder, "emails.dat"), "");
  await metrobus(["gen", "--missing"], { METROBUS_DATA: folder });
  expect(await readFile(join(folder, "emails.dat"), "utf8")).toMatch(/^1000000,/);
});

test("Ctrl-C ends gen and leaves no half file", async () => {
  const running = start([process.execPath, "runtime/cli.ts", "gen"], { METROBUS_DATA: folder });
  await running.printed(/writing/);
  running.process.kill("SIGINT");
  const { code, stdout, stderr } = await running.ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^metrobus: ended before the data files were written$/m);
  expect((await readdir(folder)).filter((name) => name.endsWith(".part"))).toEqual([]);
});

test("another seed gives other files", async () => {
  const written = async (seed: string) => {
    await metrobus(["gen", "--seed", seed], { METROBUS_DATA: folder });
    return readFile(join(folder, "emails.dat"), "utf8");
  };
  const first = await written("1");
  expect((await written("2")) === first).toBe(false);
  expect((await written("1")) === first).toBe(true);
});

test("a folder that can't be written is one clear error and no half file", async () => {
  await mkdir(join(folder, "emails.dat"));
  const { code, stderr } = await metrobus(["gen"], { METROBUS_DATA: folder });
  expect(code).toBe(1);
  expect(stderr).toMatch(/metrobus: \S+emails\.dat can't be written \(EISDIR.*METROBUS_DATA.*\n$/);
  expect(stderr).not.toContain("    at ");
  expect(await readdir(folder)).toEqual(["emails.dat"]);
});
