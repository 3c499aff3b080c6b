import { z } from "zod";
import { Unavailable, UnknownTopic, type Letter, type LetterFilter, type LetterGroup, type LetterPage } from "metrobus";
import type { Visitor } from "../access/access.ts";
import { resource, type Resource } from "../resource.ts";
import { epochMs } from "../schemas.ts";
import type { LetterSource } from "../sources/letters.ts";
import { blocked, filterFields, filterSchema, given, keyText, letter, run, totals } from "./schemas.ts";
import { runAnswer } from "./runs.ts";
import { showLetters } from "./show.ts";

const query = z.object({
  ...filterFields,
  before: z.string().max(4_096).optional().describe("The cursor of the page before this one"),
});

const answer = z.object({
  groups: z.array(
    totals.extend({
      stop: z.string(),
      reason: z.string(),
      error: z.string(),
      lastMessage: z
        .string()
        .nullable()
        .describe("What the error of the newest said, its first 200 characters; null: you may not see it"),
    }),
  ),
  total: totals.nullable(),
  other: totals.nullable().describe("Of groups beyond the first thousand"),
  counted: z.boolean().describe("All that there was when the page began has been counted"),
  read: z.number(),
  all: z.number().describe("Groups are counted as far as `read` of `all` records"),
  fault: z.string().nullable(),
  letters: z.array(letter).nullable().describe("Newest first; null: you may not see them"),
  more: z.string().nullable().describe("Where the next page goes on; null: there is none"),
  stops: z
    .array(z.string())
    .describe(
      "Stops at which letters have failed, or that stand in the routes of those of this page; none: you may not act on them",
    ),
  looked: z.number(),
  back: epochMs.nullable().describe("How far back it was looked"),
  runs: z.array(run).describe("The newest bulk runs"),
  runsFault: z.string().nullable().describe("Why bulk runs can't be read; null: they can"),
  blocked,
});
export type LettersAnswer = z.infer<typeof answer>;

const A_PAGE = 50;
const RUNS = 5;

/** The dead letters by what failed, and one by one. */
export const letters = (source: LetterSource): Resource =>
  resource({
    path: "/letters",
    summary: "Dead letters: counts by stop, reason and error, and a page of them",
    query,
    answer,
    title: () => "Dead letters",
    show: showLetters,
    async read({ before, ...filter }, visitor) {
      const { seesDetails, mayAct } = visitor;
      const wanted = given(filterSchema.parse(filter));
      const [found, runs, why] = await Promise.all([
        seesDetails ? pageOf(source, wanted, before) : null,
        newestRuns(source, visitor),
        mayAct ? source.blocked() : null,
      ]);
      const counted = source.groups();
      return {
        groups: counted.groups.map((group) => (seesDetails ? group : { ...group, lastMessage: null })),
        total: counted.total,
        other: counted.other,
        counted: counted.isCounted,
        read: counted.read,
        all: counted.all,
        fault: counted.fault ?? found?.fault ?? null,
        letters: found && found.letters.map(letterAnswer),
        more: found?.more?.cursor ?? null,
        stops: mayAct ? stopsToChoose(counted.groups, found?.letters ?? []) : [],
        looked: found?.looked ?? 0,
        back: found?.back ?? null,
        ...runs,
        blocked: why,
      } satisfies LettersAnswer;
    },
  });

/** They are in Redis, letters are not: without it letters are shown all the same. */
async function newestRuns(source: LetterSource, visitor: Visitor): Promise<Pick<LettersAnswer, "runs" | "runsFault">> {
  try {
    const found = await source.runs().list();
    return { runs: found.slice(0, RUNS).map((each) => runAnswer(each, visitor)), runsFault: null };
  } catch (error) {
    if (error instanceof Unavailable) return { runs: [], runsFault: error.message };
    throw error;
  }
}

const stopsToChoose = (groups: readonly LetterGroup[], found: readonly Letter[]): string[] =>
  [...new Set([...groups.map(({ stop }) => stop), ...found.flatMap(({ visited, ahead }) => [...visited, ...ahead])])]
    .filter(Boolean)
    .toSorted();

/** When the bus is away, what is counted is shown all the same. */
async function pageOf(
  source: LetterSource,
  filter: LetterFilter,
  before: string | undefined,
): Promise<LetterPage & { readonly fault: string | null }> {
  const none = { letters: [], more: null, looked: 0, back: null };
  try {
    await source.ready();
    return { ...(await source.letters().page({ filter, limit: A_PAGE, before })), fault: null };
  } catch (error) {
    // The first stop makes the topic as it starts.
    if (error instanceof UnknownTopic) return { ...none, fault: null };
    if (error instanceof Unavailable) return { ...none, fault: error.message };
    throw error;
  }
}

export const letterAnswer = (found: Letter): z.infer<typeof letter> => ({
  id: found.id,
  state: found.state,
  time: found.time,
  stop: found.stop,
  reason: found.reason,
  error: found.error,
  message: found.message,
  attempts: found.attempts,
  messageId: found.messageId,
  key: keyText(found.key),
  replayOf: found.replayOf && { ...found.replayOf },
});
