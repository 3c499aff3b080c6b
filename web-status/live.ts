import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** The page's numbers as a stream of server-sent events, the same for all viewers. */
export interface Live {
  /** A viewer's stream of events: the present numbers, then once a second what changed. Destroy it to leave. */
  join(): Readable;
  /** Ends all streams. */
  close(): void;
}

export interface LiveOptions {
  everyMs?: number;
  /** A viewer that could not take so many events in a row is sent away; its browser comes back when it can. */
  missedAtMost?: number;
}

/**
 * Each update is computed once for all, and only while someone watches. Nothing is queued for a slow viewer: it misses
 * updates. Should `render` reject, all streams are destroyed with its error.
 */
export function live(render: () => Promise<string>, options: LiveOptions = {}): Live {
  const { everyMs = 1_000, missedAtMost = 30 } = options;
  /** How many events each has missed in a row. */
  const viewers = new Map<Readable, number>();
  const closed = new AbortController();
  let current: Buffer | undefined;
  let running = false;

  function show(viewer: Readable, missed: number, event: Buffer): void {
    const taken = viewer.readableLength === 0;
    viewers.set(viewer, taken ? 0 : missed + 1);
    if (taken) viewer.push(missed > 0 ? current : event);
    else if (missed >= missedAtMost) viewer.destroy();
  }

  async function run(): Promise<void> {
    running = true;
    try {
      for (let shown = ""; viewers.size > 0 && !closed.signal.aborted;) {
        const pause = sleep(everyMs, undefined, { signal: closed.signal }).catch(() => {});
        const html = await render();
        current = eventOf("update", html);
        for (const [viewer, missed] of viewers) show(viewer, missed, html === shown ? UNCHANGED : current);
        shown = html;
        await pause;
      }
    } finally {
      current = undefined;
      running = false;
    }
  }

  return {
    join: () => {
      const viewer = new Readable({ read() {} });
      if (closed.signal.aborted) return viewer.destroy();
      viewer.once("close", () => viewers.delete(viewer));
      viewers.set(viewer, 0);
      if (current) viewer.push(current);
      if (!running) run().catch((error: Error) => viewers.forEach((_, each) => each.destroy(error)));
      return viewer;
    },
    close: () => {
      closed.abort();
      for (const viewer of viewers.keys()) viewer.push(null);
      viewers.clear();
    },
  };
}

/** Tells the browser that the connection lives. */
const UNCHANGED = eventOf("unchanged", "");

/** JSON has no line breaks, which would end an event's data. */
function eventOf(name: string, text: string): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(text)}\n\n`);
}
