import { z } from "zod";
import type { Instance, Snapshot, Trip, TripVisit } from "metrobus";
import { NotFound, resource, type Resource } from "../resource.ts";
import { epochMs, visit } from "../schemas.ts";
import { byPlace, search, type Found } from "../sources/search.ts";
import type { Lag } from "../sources/lag.ts";
import { topicsOf } from "../sources/topics.ts";
import type { TripSources } from "./find.ts";
import { showTrip } from "./show.ts";

const query = z.object({ id: z.string().min(1).max(1_024) });

const answer = z.object({
  at: epochMs,
  id: z.string(),
  key: z.string().nullable(),
  boarded: epochMs,
  now: z.object({
    state: z
      .enum(["travelling", "unrecorded", "arrived", "dropped", "dead", "later"])
      .describe("unrecorded: the stop that it was sent on to is done with it, and nobody has recorded that"),
    stop: z.string().describe("Where it is, or ended"),
    since: epochMs,
    why: z.string().describe("The reason; of one that travels what holds its stop, if anything"),
  }),
  header: z.record(z.string(), z.unknown()).nullable().describe("As it was at the last stop; null: it is not known"),
  ahead: z.array(z.string()).describe("Stops that it has still to visit, in travel order"),
  visits: z.array(visit).describe("In the order in which it came to the stops"),
  source: z
    .enum(["recorded", "topics"])
    .describe("topics: nobody recorded it; what is told was found where it lies, and times are those of its records"),
});
export type TripAnswer = z.infer<typeof answer>;

/** One message: where it has been, how long that took, and where it is now. */
export const trip = (sources: TripSources): Resource => {
  const inTopics = remembered((id) => fromTopics(sources, id));
  return resource({
    path: "/trips/:id",
    summary: "The trip of one message",
    query,
    answer,
    needsDetails: true,
    title: ({ id }) => `Trip of ${id}`,
    show: showTrip,
    async read({ id }) {
      const [kept, { snapshot }] = await Promise.all([sources.trips.trip(id), sources.latest.read()]);
      const found: Known | null = kept ?? (await inTopics(id));
      if (!found)
        throw new NotFound(
          `no message ${id} is known: its trip is not recorded (some of each second are, for a while, and all that fail), and it is not among the newest in the topics`,
        );
      const visits = found.visits.map((each) => ({
        ...each,
        instance: fullName(each.instance, snapshot?.instances ?? []),
      }));
      const header = parsed(found.header);
      return {
        at: snapshot?.at ?? Date.now(),
        id,
        key: found.key,
        boarded: found.boarded,
        now: whereItIs({ ...found, visits }, snapshot, sources.lag),
        header,
        ahead: aheadOf(header, visits),
        visits,
        source: kept ? "recorded" : "topics",
      } satisfies TripAnswer;
    },
  });
};

/** `lies`: the topic that it lies in, as far as it was found there, and since when. */
type Known = Trip & { readonly lies?: Pick<Found, "topic" | "at"> };

const REMEMBERED_MS = 10_000;
const REMEMBERED = 50;

/** Topics are searched for a message now and then, not with every update of every viewer. */
function remembered<T>(ask: (id: string) => Promise<T>): (id: string) => Promise<T> {
  const asked = new Map<string, { readonly at: number; readonly answer: Promise<T> }>();
  return (id) => {
    const before = asked.get(id);
    if (before && performance.now() - before.at < REMEMBERED_MS) return before.answer;
    asked.delete(id);
    const answer = ask(id);
    asked.set(id, { at: performance.now(), answer });
    if (asked.size > REMEMBERED) asked.delete(asked.keys().next().value!);
    return answer;
  };
}

function parsed(header: string): Record<string, unknown> | null {
  try {
    return JSON.parse(header) as Record<string, unknown> | null;
  } catch {
    return null;
  }
}

/** Messages carry only how the name of an instance ends. */
function fullName(name: string, instances: readonly Instance[]): string {
  const [only, ...more] = instances.filter(({ instance }) => instance.endsWith(name));
  return only && more.length === 0 ? only.instance : name;
}

/** What waits is known with a delay: the lag of a stop is at most so old. */
const LAG_KNOWN_MS = 20_000;

function whereItIs({ visits, boarded, lies }: Known, snapshot: Snapshot | null, lag: Lag): TripAnswer["now"] {
  const last = visits.at(-1);
  if (last && last.outcome !== "forwarded")
    return { state: last.outcome, stop: last.stop, since: endOf(last), why: last.detail };
  const [stop, since] = last ? [last.detail, endOf(last)] : [lies?.topic ?? "", lies?.at ?? boarded];
  const isDone = snapshot && snapshot.at - since > LAG_KNOWN_MS && lag.all(snapshot).get(stop)?.messages === 0;
  if (isDone) return { state: "unrecorded", stop, since, why: "" };
  return { state: "travelling", stop, since, why: snapshot?.pauses.has(stop) ? `${stop} is paused` : "" };
}

const endOf = ({ at, waitedMs, workedMs }: TripVisit): number => at + waitedMs + workedMs;

/** Of the header with which it came to its last stop. */
function aheadOf(header: TripAnswer["header"], visits: readonly TripVisit[]): string[] {
  const found = Array.isArray(header?.["route"]) ? header["route"] : [];
  const route = found.filter((stop) => typeof stop === "string").toReversed();
  const outcome = visits.at(-1)?.outcome ?? "forwarded";
  return outcome === "forwarded" || outcome === "later" ? route : [];
}

async function fromTopics({ bus, latest }: TripSources, id: string): Promise<Known | null> {
  const metro = bus.get();
  const { snapshot } = await latest.read();
  const [first, { found }] = await Promise.all([
    byPlace(metro, id),
    search(metro, { topics: snapshot ? topicsOf(snapshot) : [], fits: (message) => message.id === id }),
  ]);
  const isSame = (a: Found, b: Found) => a.topic === b.topic && a.partition === b.partition && a.offset === b.offset;
  const all = first && !found.some((each) => isSame(each, first)) ? [...found, first] : [...found];
  const inOrder = all.toSorted((a, b) => a.at - b.at);
  const [oldest, newest] = [inOrder[0], inOrder.at(-1)];
  if (!oldest || !newest) return null;
  const boarded = typeof newest.header?.["boarded"] === "number" ? newest.header["boarded"] : oldest.at;
  const header = newest.header ? JSON.stringify(newest.header) : "";
  return {
    id,
    key: newest.key,
    boarded,
    header,
    visits: inOrder.slice(0, -1).map((each, n) => between(each, inOrder[n + 1]!)),
    lies: newest,
  };
}

/** A visit of which only is known when the message came, and when it came to the next stop. */
const between = (here: Found, next: Found): TripVisit => ({
  stop: here.topic,
  from: "",
  instance: "",
  partition: here.partition,
  offset: here.offset,
  at: here.at,
  waitedMs: Math.max(0, next.at - here.at),
  workedMs: 0,
  attempt: 1,
  outcome: "forwarded",
  detail: next.topic,
});
