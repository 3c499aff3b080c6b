import { z } from "zod";
import { Unavailable } from "metrobus";
import { resource, type Resource, type Shown } from "../resource.ts";
import type { LetterSource } from "../sources/letters.ts";
import { view } from "../views.ts";
import { topologyAnswer } from "./answer.ts";
import type { RouteMap } from "./map.ts";
import type { Present } from "./present-topology.ts";

const query = z.object({
  group: z.string().max(1_024).optional().describe("A group of stops to be shown one by one"),
  search: z.string().max(249).optional().describe("Part of a stop's name"),
});

const answer = topologyAnswer.extend({
  fault: z.string().nullable().describe("Why the counts can't be read; what is told is then what they said last"),
  hits: z.number().describe("Times the page was opened"),
  openLetters: z
    .number()
    .nullable()
    .describe("Dead letters that nobody has acted on, as far as they are counted; null: they can't be counted now"),
});
type MapAnswer = z.infer<typeof answer>;

const mapPage = view("map-page");

/** The first view: all stops, and the ways that messages take between them. */
export const mapView = (present: () => Promise<Present>, map: RouteMap, letters: LetterSource): Resource =>
  resource({
    path: "/",
    apiPath: "/map",
    summary: "The route map, as traffic draws it",
    query,
    answer,
    title: () => "Map",
    async read({ group }) {
      const { snapshot, fault, topology } = await present();
      await map.ready(topology, group);
      return { ...topology, fault, hits: snapshot.hits, openLetters: openOf(letters) } satisfies MapAnswer;
    },
    show: (
      { fault, hits, openLetters, ...found }: MapAnswer,
      { base, query: { group, search } }: Shown & { query: z.output<typeof query> },
    ) =>
      mapPage({
        base,
        fault,
        hits,
        map: map.show(found, { base, group, search, openLetters, stale: fault !== null }),
      }),
  });

function openOf(letters: LetterSource): number | null {
  try {
    const { total, fault } = letters.groups();
    return fault === null ? (total?.open ?? 0) : null;
  } catch (error) {
    if (error instanceof Unavailable) return null;
    throw error;
  }
}
