import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** What the page shows, as streams of server-sent events: a view is made once for all who watch it. */
export interface Live {
  /** A viewer's stream of events: the view as it is, then once a second what changed. Destroy it to leave. `render` makes the view `key`. */
  join(key: string, render: () => Promise<string>): Readable;
  /** Ends all streams. */
  close(): void;
}

export interface LiveOptions {
  /** Told of what a `render` throws. */
  failed?: (error: unknown) => void;
  everyMs?: number;
  /** A viewer that could not take so many events in a row is sent away; its browser comes back when it can. */
  missedAtMost?: number;
  /** Different views at once; who wants one more is sent away. */
  viewsAtMost?: number;
  /** Then a stream ends with an event that says so, and who watches on asks anew: what he may see may be another thing by now; who has not read that after as long again is sent away. Default: a quarter of an hour. */
  stayMs?: number;
}

interface View {
  readonly render: () => Promise<string>;
  /** How many events each viewer has missed in a row. */
  readonly viewers: Map<Readable, number>;
  html: string;
  current: Buffer | undefined;
  /** It is being made. */
  busy: boolean;
  /** So often it is left as it is, since it is large; and since it takes long to make, unless somebody comes who may know newer. */
  rest: number;
  slow: number;
}

/**
 * Views are made only while someone watches, all at the same moment, so that they share what they read. Nothing is queued for a slow
 * viewer: it misses updates. Should a `render` reject, the streams of its view are destroyed with its error.
 */
export function live(options: LiveOptions = {}): Live {
  const { failed, everyMs = 1_000, missedAtMost = 30, viewsAtMost = 500, stayMs = 900_000 } = options;
  const views = new Map<string, View>();
  const closed = new AbortController();
  let running = false;

  function show(view: View, event: Buffer): void {
    for (const [viewer, missed] of view.viewers) {
      const taken = viewer.readableLength === 0;
      view.viewers.set(viewer, taken ? 0 : missed + 1);
      if (taken) viewer.push(missed > 0 ? view.current : event);
      else if (missed >= missedAtMost) viewer.destroy();
    }
  }

  async function update(view: View): Promise<void> {
    if (view.busy) return;
    if (view.rest > 0 || view.slow > 0) {
      view.rest--;
      view.slow--;
      return show(view, UNCHANGED);
    }
    view.busy = true;
    const begun = performance.now();
    try {
      const html = await view.render();
      if (closed.signal.aborted) return;
      const tookMs = performance.now() - begun;
      const isSame = view.current !== undefined && html === view.html;
      view.html = html;
      if (!isSame) view.current = eventOf("update", html);
      view.rest = isSame ? 0 : Math.floor(view.current!.length / MOST_BYTES);
      view.slow = tookMs > SLOW_MS ? Math.ceil(Math.min(tookMs * RESTS, LONGEST_MS) / everyMs) : 0;
      show(view, isSame ? UNCHANGED : view.current!);
    } catch (error) {
      failed?.(error);
      for (const viewer of view.viewers.keys()) viewer.destroy(error as Error);
    } finally {
      view.busy = false;
    }
  }

  async function run(): Promise<void> {
    running = true;
    while (views.size > 0 && !closed.signal.aborted) {
      const pause = sleep(everyMs, undefined, { signal: closed.signal }).catch(() => {});
      for (const view of views.values()) void update(view);
      await pause;
    }
    running = false;
  }

  return {
    join(key, render) {
      const viewer = new Readable({ read() {} });
      if (closed.signal.aborted || (!views.has(key) && views.size >= viewsAtMost)) return viewer.destroy();
      const view = views.get(key) ?? newView(render);
      views.set(key, view);
      const gone = () => {
        view.viewers.delete(viewer);
        if (view.viewers.size === 0 && views.get(key) === view) views.delete(key);
      };
      let leaving = setTimeout(() => {
        gone();
        viewer.push(AGAIN);
        viewer.push(null);
        leaving = setTimeout(() => viewer.destroy(), stayMs).unref();
      }, stayMs).unref();
      viewer.once("close", () => {
        clearTimeout(leaving);
        gone();
      });
      // What was made some time ago may be older than what is seen: the next one is for who comes, be it the same.
      const isOld = view.slow > 0;
      view.slow = 0;
      view.viewers.set(viewer, isOld ? 1 : 0);
      if (view.current && !isOld) viewer.push(view.current);
      else if (running && !isOld) void update(view);
      if (!running) void run();
      return viewer;
    },
    close() {
      closed.abort();
      for (const { viewers } of views.values()) for (const viewer of viewers.keys()) viewer.push(null);
      views.clear();
    },
  };
}

const newView = (render: View["render"]): View => ({
  render,
  viewers: new Map(),
  html: "",
  current: undefined,
  busy: false,
  rest: 0,
  slow: 0,
});

/** For each viewer and update on average: a map of 500 stops is a megabyte, which is too much for a second, here and there. */
const MOST_BYTES = 250_000;

/** What takes longer to make, such as a list for which thousands of letters are read, is made for a fifth of the time, or every five seconds. */
const SLOW_MS = 500;
const RESTS = 4;
const LONGEST_MS = 5_000;

/** Tells the browser that the connection lives. */
const UNCHANGED = eventOf("unchanged", "");

/** Ends a stream. */
const AGAIN = eventOf("again", "");

/** JSON has no line breaks, which would end an event's data. */
function eventOf(name: string, text: string): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(text)}\n\n`);
}
