import { stat } from "node:fs/promises";
import { join } from "node:path";
import { accounts } from "./accounts.ts";
import { whitelist } from "./whitelist.ts";
import { writeLines } from "./write-lines.ts";

/** The demo's data files, by name: the lines of each, from a seed. */
const files = { "emails.dat": accounts, "whitelist.dat": whitelist };

export interface GenerateOptions {
  folder: string;
  /** The same seed gives the same files. */
  seed?: number;
  /** Leave the files that are there already, and not empty, as they are. Default: write all of them anew. */
  missingOnly?: boolean;
  /** Lines written so far to this file. */
  onProgress?: (path: string, lines: number) => void;
  /** When it aborts, the file being written is given up, and those after it. */
  signal?: AbortSignal;
}

/** Writes the demo's data files and returns the paths of those written. Throws MetrobusError (no permission, disk full). */
export async function generate(options: GenerateOptions): Promise<string[]> {
  const { folder, seed = 1, missingOnly, onProgress, signal } = options;
  const written: string[] = [];
  for (const [name, lines] of Object.entries(files)) {
    const path = join(folder, name);
    if (missingOnly && (await isThere(path))) continue;
    const whole = await writeLines(path, lines(seed), { onProgress: (count) => onProgress?.(path, count), signal });
    if (!whole) break;
    written.push(path);
  }
  return written;
}

const isThere = (path: string) =>
  stat(path).then(
    ({ size }) => size > 0,
    () => false,
  );
