import { z } from "zod";
import { resource, type Resource, type Shown } from "../resource.ts";
import type { Lag } from "../sources/lag.ts";
import { known, type LatestStats } from "../sources/latest.ts";
import { view } from "../views.ts";
import { topologyAnswer } from "./answer.ts";
import type { RouteMap } from "./map.ts";
import { topology } from "./topology.ts";

const query = z.object({
  group: z.string().max(1_024).optional().describe("A group of stops to be shown one by one"),
  search: z.string().max(249).optional().describe("Part of a stop's name"),
});

const answer = topologyAnswer.extend({
  fault: z.string().nullable().describe("Why the counts can't be read; what is told is then what they said last"),
  hits: z.number().describe("Times the page was opened"),
});
type MapAnswer = z.infer<typeof answer>;

const mapPage = view("map-page");

/** The first view: all stops, and the ways that messages take between them. */
export const mapView = ({ latest, lag, map }: { latest: LatestStats; lag: Lag; map: RouteMap }): Resource =>
  resource({
    path: "/",
    summary: "The route map, as traffic draws it",
    query,
    answer,
    title: () => "Map",
    async read({ group }) {
      const [found, recent] = await Promise.all([latest.read(), latest.recent()]);
      const { snapshot, fault } = known(found);
      const shown = topology(snapshot, recent, lag.all(snapshot));
      await map.ready(shown, group);
      return { ...shown, fault, hits: snapshot.hits } satisfies MapAnswer;
    },
    show: (
      { fault, hits, ...found }: MapAnswer,
      { base, query: { group, search } }: Shown & { query: z.output<typeof query> },
    ) =>
      mapPage({
        base,
        fault,
        hits,
        map: map.show(found, { base, group, search, stale: fault !== null }),
      }),
  });
