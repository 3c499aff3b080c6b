import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { MetrobusError } from "metrobus";

const CHUNK = 20_000;

export interface WriteOptions {
  /** Hears the lines written so far. */
  onProgress?: (written: number) => void;
  signal?: AbortSignal | undefined;
}

/**
 * Writes a file of lines, whole or not at all: into a file beside it, which then takes its name. Returns whether it is
 * written: not when `signal` aborts. Throws MetrobusError (no permission, disk full).
 */
export async function writeLines(path: string, lines: Iterable<string>, options: WriteOptions = {}): Promise<boolean> {
  const unfinished = `${path}.${randomUUID()}.part`;
  try {
    await makeFolder(dirname(path));
    await using file = await open(unfinished, "wx");
    await writeAll(file, lines, options);
    await file.sync();
    await rename(unfinished, path);
    return true;
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    if (options.signal?.aborted) return false;
    throw new MetrobusError(
      `${path} can't be written (${(error as Error).message}): make room, correct the permissions, or set METROBUS_DATA to another folder`,
      { cause: error },
    );
  }
}

/** With its parents; not by mkdir's own `recursive`, which never ends where a parent takes no folders (/proc). */
async function makeFolder(folder: string): Promise<void> {
  try {
    await makeOne(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await makeOne(folder);
  }
}

async function makeOne(folder: string): Promise<void> {
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

async function writeAll(file: FileHandle, lines: Iterable<string>, { onProgress, signal }: WriteOptions) {
  let chunk: string[] = [];
  let written = 0;
  const flush = async () => {
    signal?.throwIfAborted();
    if (chunk.length === 0) return;
    await file.appendFile(`${chunk.join("\n")}\n`);
    written += chunk.length;
    chunk = [];
    onProgress?.(written);
  };
  for (const line of lines) if (chunk.push(line) === CHUNK) await flush();
  await flush();
}
