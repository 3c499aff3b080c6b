import { exactJson, type Letter } from "metrobus";
import { z } from "zod";
import { NotDone, NotFound, deed, resource, type Deed, type Resource } from "../resource.ts";
import { letterHref } from "../links.ts";
import { epochMs, optional } from "../schemas.ts";
import type { LetterSource } from "../sources/letters.ts";
import { letterAnswer } from "./list.ts";
import { blocked, letter as letterSchema, report, stopsOf } from "./schemas.ts";
import { showLetter } from "./show-letter.ts";

const id = z.string().max(64).describe("<partition>-<offset>");
const query = z.object({ id });

export const action = z.object({
  letter: z.string(),
  action: z.enum(["replay", "discard"]),
  outcome: z.enum(["asked", "done", "already", "failed"]),
  run: z.string(),
  by: z.string(),
  to: z.string(),
  why: z.string(),
  edited: z.boolean(),
  time: epochMs,
});

const answer = letterSchema.extend({
  from: z.object({ topic: z.string(), partition: z.string(), offset: z.string() }).nullable(),
  stack: z.string(),
  headers: z.array(z.object({ name: z.string(), value: z.string().nullable() })),
  visited: z.array(z.string()).describe("Stops that it has been at, where it failed last: it can be rewound to each"),
  ahead: z
    .array(z.string())
    .describe("Stops that its route names behind the one it failed at, the next one first: it can go on to each"),
  missing: z
    .array(z.string())
    .describe(
      "Of the stops to which a replay would go, where it failed and ahead, those whose topics do not exist, of the first twenty; for who may act on it",
    ),
  payload: z.unknown().describe("What its envelope holds, or the whole value; missing: it is no JSON"),
  value: z.string().nullable().describe("All bytes of its value, in base64"),
  audit: z.array(action).describe("What was done with it, newest first"),
  auditBack: epochMs.nullable().describe("What was done before then was not looked at; null: all was"),
  blocked,
});
export type LetterAnswer = z.infer<typeof answer>;

const OF_AUDIT = 50;
/** Of twenty thousand actions at most, each: a bulk run behind the letter's own may be a large one. */
const AUDIT_PAGES = 10;

async function auditOf(source: LetterSource, letter: string): Promise<Pick<LetterAnswer, "audit" | "auditBack">> {
  const audit: LetterAnswer["audit"] = [];
  let page: { readonly back: number | null; readonly more: { readonly cursor: string } | null } | undefined;
  for (let pages = 0; pages < AUDIT_PAGES && audit.length < OF_AUDIT && page?.more !== null; pages++) {
    const found = await source
      .letters()
      .auditPage({ letter, limit: OF_AUDIT - audit.length, before: page?.more?.cursor });
    audit.push(...found.actions.map((each) => ({ ...each })));
    page = found;
  }
  return { audit, auditBack: page?.more ? page.back : null };
}

/** One dead letter, whole. */
export const letter = (source: LetterSource): Resource =>
  resource({
    path: "/letters/:id",
    summary: "One dead letter",
    query,
    answer,
    needsDetails: true,
    isStill: true,
    title: (asked) => `Dead letter ${asked.id}`,
    show: showLetter,
    async read(asked, { mayAct }) {
      await source.ready();
      const found = await source.letters().show(asked.id);
      if (!found) throw new NotFound(`there is no dead letter ${asked.id}: retention may have removed it`);
      const goesTo = new Set([...(found.from ? [found.from.topic] : []), ...found.ahead]);
      const [audited, why, missing] = await Promise.all([
        auditOf(source, asked.id),
        mayAct ? source.blocked() : null,
        mayAct ? source.missing([...goesTo]) : [],
      ]);
      return {
        ...letterAnswer(found),
        from: found.from && { ...found.from },
        stack: found.stack,
        headers: found.headers.map(([name, value]) => ({ name, value: value?.toString() ?? null })),
        visited: [...new Set(found.visited)],
        ahead: [...found.ahead],
        missing: [...missing],
        payload: payloadOf(found),
        value: found.value?.toString("base64") ?? null,
        ...audited,
        blocked: why,
      } satisfies LetterAnswer;
    },
  });

/** undefined: it is no JSON, or nested too deeply to be shown as such. */
function payloadOf({ payloadJson }: Letter): unknown {
  try {
    return payloadJson && exactJson(payloadJson);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** To where it failed, to another stop of its route or any topic, or with another payload or route. */
export const replayLetter = (source: LetterSource): Deed =>
  deed({
    path: "/letters/:id/replay",
    summary: "Send one dead letter again",
    body: z.object({
      id,
      from: optional(z.string()).describe("A stop of its route, visited or ahead; default: to where it failed"),
      to: optional(z.string()).describe("Any topic, in the place of `from`"),
      route: z
        .string()
        .transform(stopsOf)
        .optional()
        .describe('Other stops behind the one it is sent to, with commas between; "": it ends there'),
      payload: optional(z.string()).describe("Another payload, as JSON text; the letter stays as it is"),
    }),
    answer: report,
    async run({ id: wanted, from, to, route, payload }, by) {
      const where = { ...(from !== undefined && { from }), ...(to !== undefined && { to }), ...(route && { route }) };
      const change = { ...where, ...(payload !== undefined && { payload }) };
      return checked(await source.letters().replay({ ids: [wanted] }, { ...change, by }));
    },
    next: (_, { id: wanted }) => letterHref("", wanted),
  });

export const discardLetter = (source: LetterSource): Deed =>
  deed({
    path: "/letters/:id/discard",
    summary: "Mark one dead letter as done with",
    body: z.object({ id, reason: z.string().trim().min(1, "say why it is discarded").max(1_024) }),
    answer: report,
    async run({ id: wanted, reason }, by) {
      return checked(await source.letters().discard({ ids: [wanted] }, { reason, by }));
    },
    next: (_, { id: wanted }) => letterHref("", wanted),
  });

/** Of one letter: that nothing was done is an error. */
function checked<T extends z.infer<typeof report>>(
  done: Pick<T, "asked" | "done" | "already" | "failed"> & {
    readonly failures: readonly { letter: string; why: string }[];
  },
) {
  const [failure] = done.failures;
  if (failure) throw new NotDone(failure.why);
  if (done.already > 0) throw new NotDone("somebody has replayed or discarded it before: it is acted on once");
  return { ...done, failures: [] };
}
