import { z } from "zod";
import { hasFailed, type Trip, type TripStore } from "metrobus";
import { resource, type Resource } from "../resource.ts";
import { epochMs } from "../schemas.ts";
import type { BusSource } from "../sources/bus.ts";
import type { Lag } from "../sources/lag.ts";
import type { LatestStats } from "../sources/latest.ts";
import { pathOf, search, valuesAt, type Found } from "../sources/search.ts";
import { topicsOf } from "../sources/topics.ts";
import { showTrips } from "./show.ts";

const text = z.string().trim().max(1_024);
const query = z.object({
  id: text.optional().describe("A message's id"),
  key: text.optional().describe("A record's key"),
  field: text.optional().describe("A field of payloads, such as card.number, with `value`"),
  value: text.optional(),
  failed: z.enum(["yes"]).optional().catch(undefined).describe("Only trips that failed somewhere"),
});

const summary = z.object({
  id: z.string(),
  key: z.string().nullable(),
  boarded: epochMs,
  stops: z.array(z.string()).describe("Those it has been at, oldest first"),
  outcome: z
    .string()
    .describe("At the last of them; waiting: it has boarded; found: it lies in a topic, waiting or done"),
  detail: z.string().describe("The next stop, the reason, or the topic where it was found"),
  at: epochMs.describe("When it came there"),
  isKept: z.boolean().describe("Its trip is recorded; else it was found in a topic"),
});
const answer = z.object({
  trips: z.array(summary).describe("Newest first"),
  looked: z
    .number()
    .nullable()
    .describe("Among so many messages of the topics; null: only recorded trips were looked at"),
  back: epochMs
    .nullable()
    .describe("All messages of the topics that came since then were looked at; null: all there are, or fewer"),
  fault: z.string().nullable().describe("Why the topics could not be looked at"),
});
export type TripsAnswer = z.infer<typeof answer>;
export type TripSummary = z.infer<typeof summary>;

const SHOWN = 50;

export interface TripSources {
  readonly latest: LatestStats;
  readonly trips: TripStore;
  readonly bus: BusSource;
  readonly lag: Lag;
}

/** Messages by id, key or what they hold: among recorded trips, and the newest messages of all topics. */
export const trips = (sources: TripSources): Resource =>
  resource({
    path: "/trips",
    summary: "Messages by id, key or a field's value; else the newest",
    query,
    answer,
    needsDetails: true,
    isStill: true,
    title: () => "Trips",
    show: showTrips,
    async read({ id, key, field, value, failed }) {
      const byField = field && value ? fieldIs(field, value) : null;
      const tripsOf = async (ids: readonly string[]) => {
        const found = await Promise.all(ids.map((each) => sources.trips.trip(each)));
        return found.filter((trip): trip is Trip => trip !== null && (!failed || trip.visits.some(hasFailed)));
      };
      const kept = byField ? [] : await tripsOf(await keptIds(sources.trips, { id, key, failed }));
      const isIt: Fits = (message) =>
        (!id || message.id === id) && (!key || message.key === key) && (!byField || byField(message));
      const wanted = id || key || byField ? isIt : null;
      // Of a key's messages only a share is recorded; an id is one message.
      const inTopics = wanted && !(id && kept.length > 0) ? await inTheTopics(sources, wanted) : NOT_LOOKED;
      const others = newestOfEach(inTopics.found).filter((each) => !kept.some((trip) => trip.id === each.id));
      // What has failed is recorded, whatever the share.
      const more = failed ? (await tripsOf(others.map((each) => each.id))).map(summaryOf) : others.map(summaryOfFound);
      return {
        trips: [...kept.map(summaryOf), ...more].toSorted((a, b) => b.at - a.at),
        looked: inTopics.looked,
        back: inTopics.back,
        fault: inTopics.fault,
      };
    },
  });

const NOT_LOOKED = { found: [], looked: null, back: null, fault: null };

async function keptIds(store: TripStore, { id, key, failed }: Record<"id" | "key" | "failed", string | undefined>) {
  if (id) return [id];
  if (key) return store.newest(SHOWN, key);
  return failed ? store.failed(SHOWN) : store.newest(SHOWN);
}

type Fits = (message: Found) => boolean;

const fieldIs =
  (field: string, value: string): Fits =>
  ({ payload }) =>
    valuesAt(payload, pathOf(field)).some(
      (each) => (each === null || typeof each !== "object") && String(each) === value,
    );

async function inTheTopics({ latest, bus }: TripSources, fits: Fits) {
  try {
    const { snapshot } = await latest.read();
    return { ...(await search(bus.get(), { topics: snapshot ? topicsOf(snapshot) : [], fits })), fault: null };
  } catch (error) {
    return { found: [], looked: 0, back: null, fault: (error as Error).message };
  }
}

/** A message lies in the topic of each stop that it has been at. */
function newestOfEach(found: readonly Found[]): Found[] {
  const byId = new Map<string, Found>();
  for (const each of found) if (!byId.has(each.id)) byId.set(each.id, each);
  return [...byId.values()];
}

function summaryOf({ id, key, boarded, visits }: Trip): TripSummary {
  const last = visits.at(-1);
  const [outcome, detail, at] = last ? [last.outcome, last.detail, last.at] : ["waiting", "", boarded];
  return { id, key, boarded, stops: visits.map(({ stop }) => stop), outcome, detail, at, isKept: true };
}

function summaryOfFound({ id, key, header, topic, at }: Found): TripSummary {
  const history = header?.["historical_route"];
  const stops = Array.isArray(history) ? history.filter((stop) => typeof stop === "string") : [topic];
  const boarded = typeof header?.["boarded"] === "number" ? header["boarded"] : at;
  return { id, key, boarded, stops, outcome: "found", detail: topic, at, isKept: false };
}
