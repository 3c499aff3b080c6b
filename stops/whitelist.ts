import { MetroStop, type StopContext } from "metrobus";
import { readData } from "./data-file.ts";

const allowed = new Set<string>();

/** Lets those through whose address is on the list. */
export const whitelist = (list: ReadonlySet<string>) => (message: { email: string }, context: StopContext) =>
  list.has(message.email) ? { ...message, whitelist: true } : context.drop("not on the white list");

/** Reads whitelist.dat, an address a line, into `list`. Throws MetrobusError: missing. */
export async function readList(list: Set<string>): Promise<void> {
  const { bytes } = await readData("whitelist.dat");
  for (const line of bytes.toString("utf8").split("\n")) if (line !== "") list.add(line);
}

export const stop = new MetroStop("WhiteList", whitelist(allowed), { setup: () => readList(allowed) });

if (import.meta.main) await stop.run();
