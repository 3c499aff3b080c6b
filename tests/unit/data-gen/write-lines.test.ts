import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeLines } from "../../../data-gen/write-lines.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "metrobus-"))));
afterEach(() => rm(folder, { recursive: true }));

function* numbers(count: number) {
  for (let number = 0; number < count; number++) yield String(number);
}

test("every line is written, and the progress ends with their number", async () => {
  const path = join(folder, "new/lines.dat");
  const progress: number[] = [];
  await writeLines(path, numbers(50_001), { onProgress: (written) => progress.push(written) });
  expect((await readFile(path, "utf8")).split("\n")).toEqual([...numbers(50_001), ""]);
  expect(progress).toEqual([20_000, 40_000, 50_001]);
});

test("writing that fails half-way leaves the old file and no half one", async () => {
  const path = join(folder, "lines.dat");
  await writeFile(path, "old\n");
  function* failing() {
    yield* numbers(30_000);
    throw new Error("no space left on device");
  }
  await expect(writeLines(path, failing())).rejects.toThrow(/lines\.dat can't be written \(no space left on device\)/);
  expect(await readdir(folder)).toEqual(["lines.dat"]);
  expect(await readFile(path, "utf8")).toBe("old\n");
});

test("a folder that can't be made is a clear error", async () => {
  await writeFile(join(folder, "file"), "");
  await expect(writeLines(join(folder, "file/lines.dat"), numbers(1))).rejects.toMatchObject({
    name: "MetrobusError",
    message: expect.stringMatching(/file\/lines\.dat can't be written/),
  });
});

test("a folder in one that takes none, such as /proc, is a clear error", async () => {
  await expect(writeLines("/proc/nope/deep/lines.dat", numbers(1))).rejects.toThrow(
    /^\/proc\/nope\/deep\/lines\.dat can't be written \(ENOENT.*METROBUS_DATA/,
  );
});

test("writing that is broken off leaves no file, and says so", async () => {
  const ending = new AbortController();
  const whole = await writeLines(join(folder, "lines.dat"), numbers(100_000), {
    onProgress: () => ending.abort(),
    signal: ending.signal,
  });
  expect(whole).toBe(false);
  expect(await readdir(folder)).toEqual([]);
});
