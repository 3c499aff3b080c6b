import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { MetrobusError } from "metrobus";

const CHUNK = 20_000;

/**
 * Writes a file of lines, whole or not at all: into a file beside it, which then takes its name.
 * `onProgress` hears the lines written so far. Throws MetrobusError (no permission, disk full).
 */
export async function writeLines(
  path: string,
  lines: Iterable<string>,
  onProgress: (written: number) => void = () => {},
): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await using file = await open(unfinished, "wx");
    await writeAll(file, lines, onProgress);
    await file.sync();
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw new MetrobusError(
      `${path} can't be written (${(error as Error).message}): make room, correct the permissions, or set METROBUS_DATA to another folder`,
      { cause: error },
    );
  }
}

async function writeAll(file: FileHandle, lines: Iterable<string>, onProgress: (written: number) => void) {
  let chunk: string[] = [];
  let written = 0;
  const flush = async () => {
    if (chunk.length === 0) return;
    await file.appendFile(`${chunk.join("\n")}\n`);
    written += chunk.length;
    chunk = [];
    onProgress(written);
  };
  for (const line of lines) if (chunk.push(line) === CHUNK) await flush();
  await flush();
}
