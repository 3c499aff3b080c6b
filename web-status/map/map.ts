import type { Logger } from "metrobus";
import type { Topology } from "./answer.ts";
import { grouped, type Stations } from "./grouping.ts";
import { mapLayout } from "./layout.ts";
import { shapeOf, type Shape } from "./shape.ts";
import { showMap } from "./show-map.ts";
import type { Asked } from "./texts.ts";

export interface RouteMap {
  /** As `MapLayout.ready`. */
  ready(topology: Topology, group: string | undefined): Promise<void>;
  /** The map as HTML, at once. */
  show(topology: Topology, asked: Asked): string;
  close(): Promise<void>;
}

interface Drawing {
  readonly shown: Stations;
  readonly shape: Shape;
  /** The group that is open. */
  readonly view: string;
}

function drawingOf(topology: Topology, group: string): Drawing {
  const shown = grouped(topology, group);
  return { shown, shape: shapeOf(shown), view: shown.open ?? "" };
}

/** Draws the map; layouts are worked out once for all who look. */
export function routeMap(log: Pick<Logger, "warn">): RouteMap {
  const layout = mapLayout(log);
  const found = new WeakMap<Topology["stops"], Map<string, Drawing>>();
  /** Found once for all who look at the same counts. */
  const drawn = (topology: Topology, group = ""): Drawing => {
    const byGroup = found.get(topology.stops) ?? new Map<string, Drawing>();
    const drawing = byGroup.get(group) ?? drawingOf(topology, group);
    found.set(topology.stops, byGroup.set(group, drawing));
    return drawing;
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
