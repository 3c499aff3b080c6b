import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig, MetrobusError } from "metrobus";

/**
 * The bytes of one of the demo's data files, in METROBUS_DATA, and where it lies.
 * @throws MetrobusError when it can't be read.
 */
export async function readData(name: string): Promise<{ path: string; bytes: Buffer }> {
  const path = join(loadConfig().dataFolder, name);
  try {
    return { path, bytes: await readFile(path) };
  } catch (error) {
    throw new MetrobusError(
      `${path} can't be read (${(error as Error).message}): make it with "metrobus gen", or set METROBUS_DATA to its folder`,
      { cause: error },
    );
  }
}
