import { z } from "zod";
import { resource, type Resource, type Shown } from "../resource.ts";
import { counted, epochMs, quantiles, quantilesOf, totals } from "../schemas.ts";
import { known, type LatestStats } from "../sources/latest.ts";
import { view } from "../views.ts";
import { everyStop, present, totalsOf, type StopView } from "./present.ts";

const stopAnswer = totals.extend({
  stop: z.string(),
  uncounted: z.number().describe("Processed by a stop that tells no outcomes, such as one in Python"),
  rate: z.number().describe("Messages a second, now"),
  counts: z.array(counted),
  lastSeen: epochMs.describe("Epoch ms; 0: never"),
  gaps: z.number(),
  breaker: z.object({ openings: z.number(), openSince: epochMs }),
  workedMs: quantiles,
  waitedMs: quantiles,
});

const query = z.object({
  page: z.coerce.number().int().min(1).default(1).catch(1).describe("Of the view; programs get all stops"),
});

const answer = z.object({
  at: epochMs,
  fault: z.string().nullable().describe("Why the counts can't be read; what is told is then what they said last"),
  hits: z.number().describe("Times the page was opened"),
  counter: z.record(z.string(), z.number()).describe("The Python original's hash: topic → messages processed"),
  totals: totals.extend({ rate: z.number() }),
  stops: z.array(stopAnswer).describe("In the order in which messages visit them"),
});
export type StopsAnswer = z.infer<typeof answer>;
export type StopOfAll = z.infer<typeof stopAnswer>;

const numbers = view<ReturnType<typeof present>>("numbers");

/** All stops with their totals, one below the other. */
export const stops = (latest: LatestStats): Resource =>
  resource({
    path: "/stops",
    summary: "All stops with their totals",
    query,
    answer,
    title: () => "Stops",
    show: (found: StopsAnswer, { base, query: { page } }: Shown & { query: z.output<typeof query> }) =>
      numbers(present(found, { base, page })),
    async read() {
      const { snapshot, fault } = known(await latest.read());
      const all = everyStop(snapshot);
      return {
        at: snapshot.at,
        fault,
        hits: snapshot.hits,
        counter: { ...snapshot.counter },
        totals: totalsOf(all),
        stops: all.map(stopOfAll),
      } satisfies StopsAnswer;
    },
  });

function stopOfAll({ worked, waited, counts, ...stop }: StopView): StopOfAll {
  const { processed, forwarded, arrived, dropped, dead, later, uncounted, rate, lastSeen, gaps, breaker } = stop;
  return {
    stop: stop.stop,
    processed,
    forwarded,
    arrived,
    dropped,
    dead,
    later,
    uncounted,
    rate,
    lastSeen,
    gaps,
    breaker,
    counts: [...counts],
    workedMs: quantilesOf(worked),
    waitedMs: quantilesOf(waited),
  };
}
