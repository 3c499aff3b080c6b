import { access } from "node:fs/promises";
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
  /** Leave the files that are there already as they are. Default: write all of them anew. */
  missingOnly?: boolean;
  /** Lines written so far to this file. */
  onProgress?: (path: string, lines: number) => void;
}

/** Writes the demo's data files and returns the paths of those written. Throws MetrobusError (no permission, disk full). */
export async function generate({ folder, seed = 1, missingOnly, onProgress }: GenerateOptions): Promise<string[]> {
  const written: string[] = [];
  for (const [name, lines] of Object.entries(files)) {
    const path = join(folder, name);
    if (missingOnly && (await exists(path))) continue;
    await writeLines(path, lines(seed), (count) => onProgress?.(path, count));
    written.push(path);
  }
  return written;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
