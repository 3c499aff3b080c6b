import type { Pause, Presence } from "../stats-store.ts";

/** Changes with the shape of `Presence`: processes with another version of metrobus may be there too. */
const FORMAT = 3;

/** A presence as text, for `readPresence`. */
export const presenceText = (presence: Presence): string => JSON.stringify({ format: FORMAT, ...presence });

/** null: it has another format, or is none. */
export function readPresence(text: string): Presence | null {
  const told = parsed(text) as (Presence & { format?: number }) | null;
  if (told?.format !== FORMAT) return null;
  const { format: _, ...presence } = told;
  return presence;
}

/** Whoever wrote it, and whatever: the stop is paused. */
export function readPause(text: string): Pause {
  const { by, at } = (parsed(text) ?? {}) as Record<keyof Pause, unknown>;
  return { by: typeof by === "string" ? by : "", at: typeof at === "number" ? at : 0 };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
