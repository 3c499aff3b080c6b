import { z } from "zod";
import { MetrobusError, type BulkRun, type BulkRuns, type LetterFilter } from "metrobus";
import type { Visitor } from "../access/access.ts";
import { NotFound, deed, resource, type Deed, type Resource } from "../resource.ts";
import { runHref } from "../links.ts";
import { optional } from "../schemas.ts";
import type { LetterSource } from "../sources/letters.ts";
import { filterFields, filterSchema, given, run, stopsOf } from "./schemas.ts";
import { showRun } from "./show.ts";

export type RunAnswer = z.infer<typeof run>;

/** Of a filter, what dead letters are counted by for everybody to see; keys, ids and texts of errors are details. */
const PUBLIC = ["stop", "reason", "errorName", "since", "until", "state"];

export const runAnswer = (
  { filter, change, report, ...found }: BulkRun,
  { seesDetails }: Pick<Visitor, "seesDetails">,
): RunAnswer => ({
  id: found.id,
  action: found.action,
  filter: Object.fromEntries(Object.entries(filter).filter(([name]) => seesDetails || PUBLIC.includes(name))),
  from: change.from ?? null,
  route: change.route ? [...change.route] : null,
  rate: found.rate,
  by: found.by,
  why: seesDetails ? found.why : "",
  at: found.at,
  state: found.state,
  total: found.total,
  report: { ...report, failures: seesDetails ? report.failures.map((failure) => ({ ...failure })) : [] },
  error: seesDetails ? found.error : "",
  worker: found.worker,
});

/** Who acts sees what it is about. */
const OPERATOR = { seesDetails: true };

const one = z.object({ id: z.string().max(128) });

/** A replay or discard of many letters, while it goes on and afterwards. */
export const runOf = (source: LetterSource): Resource =>
  resource({
    path: "/runs/:id",
    summary: "A bulk run: how far it is",
    query: one,
    answer: run,
    title: () => "Bulk run",
    show: showRun,
    async read({ id }, visitor) {
      return runAnswer(await existing(source.runs(), id), visitor);
    },
  });

async function existing(runs: BulkRuns, id: string): Promise<BulkRun> {
  const found = await runs.get(id);
  if (!found) throw new NotFound(`there is no bulk run ${id}: those that have ended are kept for 30 days`);
  return found;
}

const rate = z.coerce
  .number()
  .min(0)
  .max(100_000)
  .default(0)
  .describe("Letters a second, at most; 0: as fast as it goes");
const all = optional(z.union([z.literal(true), z.literal("yes")])).describe(
  "`true` where no filter is given: all that are open are meant",
);

/** A filter that is empty by mistake would mean all. Throws MetrobusError. */
function meant(filter: object, isAll: true | "yes" | undefined): LetterFilter {
  const wanted = given(filterSchema.parse(filter));
  if (Object.keys(wanted).length > 0 || isAll) return wanted;
  throw new MetrobusError(
    "no filter is given: name a stop, a reason or the like, or all letters that are open with all: true",
  );
}

/** All letters of a filter that nobody has handled. */
export const replayAll = ({ runs }: LetterSource): Deed =>
  deed({
    path: "/letters/replay",
    summary: "Send all letters of a filter again, in a bulk run",
    body: z.object({
      ...filterFields,
      all,
      rate,
      from: optional(z.string()).describe("Each goes on from this stop of its route, visited or ahead"),
      route: z
        .string()
        .transform((text) => (text.trim() ? stopsOf(text) : undefined))
        .optional()
        .describe("Other stops behind the one it is sent to, with commas between; default: those of each one's route"),
      total: optional(z.coerce.number()),
    }),
    answer: run,
    async run({ all: isAll, rate: perSecond, from, route, total, ...filter }, by) {
      const wanted = meant(filter, isAll);
      const change = { ...(from !== undefined && { from }), ...(route && { route }) };
      return runAnswer(
        await runs().start({ action: "replay", filter: wanted, change, rate: perSecond, by, total: total ?? null }),
        OPERATOR,
      );
    },
    next: ({ id }) => runHref("", id),
  });

export const discardAll = ({ runs }: LetterSource): Deed =>
  deed({
    path: "/letters/discard",
    summary: "Mark all letters of a filter as done with, in a bulk run",
    body: z.object({
      ...filterFields,
      all,
      rate,
      why: z.string().trim().min(1, "say why they are discarded").max(1_024),
      total: optional(z.coerce.number()),
    }),
    answer: run,
    async run({ all: isAll, rate: perSecond, why, total, ...filter }, by) {
      const wanted = meant(filter, isAll);
      return runAnswer(
        await runs().start({ action: "discard", filter: wanted, rate: perSecond, by, why, total: total ?? null }),
        OPERATOR,
      );
    },
    next: ({ id }) => runHref("", id),
  });

export const stopRun = ({ runs }: LetterSource): Deed =>
  deed({
    path: "/runs/:id/stop",
    summary: "No more letters are asked for in this run",
    body: one,
    answer: run,
    async run({ id }) {
      await existing(runs(), id);
      const stopped = await runs().stop(id);
      if (!stopped) throw new NotFound(`there is no bulk run ${id}`);
      return runAnswer(stopped, OPERATOR);
    },
    next: ({ id }) => runHref("", id),
  });
