import type { Logger } from "metrobus";
import type { Topology } from "./answer.ts";
import { grouped } from "./grouping.ts";
import { mapLayout } from "./layout.ts";
import { shapeOf } from "./shape.ts";
import { showMap } from "./show-map.ts";
import type { Asked } from "./texts.ts";

export interface RouteMap {
  /** Resolves when `show` has something better than a grid to show, at the latest after 700 ms. */
  ready(topology: Topology, group: string | undefined): Promise<void>;
  /** The map as HTML, at once. */
  show(topology: Topology, asked: Asked): string;
  close(): Promise<void>;
}

/** Draws the map; layouts are worked out once for all who look. */
export function routeMap(log: Pick<Logger, "warn">): RouteMap {
  const layout = mapLayout(log);
  const drawn = (topology: Topology, group: string | undefined) => {
    const shown = grouped(topology, group);
    return { shown, shape: shapeOf(shown), view: shown.open ?? "" };
  };
  return {
    ready(topology, group) {
      const { shape, view } = drawn(topology, group);
      return layout.ready(shape, view);
    },
    show(topology, asked) {
      const { shown, shape, view } = drawn(topology, asked.group);
      return showMap(topology, shown, shape, layout.of(shape, view), asked);
    },
    close: () => layout.close(),
  };
}
