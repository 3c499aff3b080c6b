import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "metrobus";
import { FIRST_MS } from "../resource.ts";
import { layoutThread } from "./layout-thread.ts";
import { complete, NOWHERE, type Placed } from "./placed.ts";
import type { Shape } from "./shape.ts";

/** The map's layouts, worked out in a thread of their own when a shape is new. */
export interface MapLayout {
  /** The places at hand for a shape of the view, at once: its own, or those of the shape before it with what is new at the side. */
  of(shape: Shape, view: string): Layout;
  /** Resolves as soon as `of` has places of its own or of a shape before, at the latest after 700 ms; at once where they would not be there by then. */
  ready(shape: Shape, view: string): Promise<void>;
  /** Layouts that are being worked out are given up. */
  close(): Promise<void>;
}

export interface Layout {
  readonly placed: Placed;
  /** "pending": a better one is being worked out. "given up": there is none to come. */
  readonly state: "done" | "pending" | "given up";
}

/** The layout of more stations takes longer than that. */
const WAITED_FOR = 200;
/** So many shapes are remembered, and so many views. */
const KEPT = 50;

/** What takes longer than `giveUpMs` is given up: its stations stand in a grid. */
export function mapLayout(log: Pick<Logger, "warn">, giveUpMs = 8_000): MapLayout {
  const thread = layoutThread(giveUpMs);
  const known = new Map<string, Layout>();
  /** What was shown last of each view. */
  const last = new Map<string, Placed>();
  /** The newest shape of each view that has no layout yet; only the newest is of use. */
  const wanted = new Map<string, Shape>();
  let working: Promise<void> | undefined;
  let news = Promise.withResolvers<void>();
  let closed = false;

  async function work(): Promise<void> {
    for (let next = first(wanted); next && !closed; next = first(wanted)) {
      const [view, shape] = next;
      wanted.delete(view);
      if (!known.has(shape.key)) keep(known, shape.key, await layOut(shape));
      news.resolve();
      news = Promise.withResolvers();
    }
    working = undefined;
  }

  async function layOut(shape: Shape): Promise<Layout> {
    try {
      return { placed: await thread.layout(shape), state: "done" };
    } catch (error) {
      if (!closed)
        log.warn({ err: error, stations: shape.nodes.length }, "the map can't be laid out and is shown as a grid");
      return { placed: complete(NOWHERE, shape), state: "given up" };
    }
  }

  function of(shape: Shape, view: string): Layout {
    const found = known.get(shape.key);
    if (found) {
      keep(last, view, found.placed);
      return found;
    }
    wanted.set(view, shape);
    working ??= work();
    return { placed: complete(last.get(view) ?? NOWHERE, shape), state: "pending" };
  }

  return {
    of,
    async ready(shape, view) {
      if (shape.nodes.length > WAITED_FOR) return;
      const late = sleep(FIRST_MS, true, { ref: false });
      while (of(shape, view).state === "pending" && !last.has(view) && !closed)
        if (await Promise.race([late, news.promise])) return;
    },
    async close() {
      closed = true;
      await thread.close();
      await working;
    },
  };
}

const first = <Key, Value>(map: Map<Key, Value>): [Key, Value] | undefined => [...map][0];

function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > KEPT) map.delete([...map.keys()][0]!);
}
