import { z } from "zod";
import { time } from "../format.ts";
import { resource, type Resource, type Shown } from "../resource.ts";
import { epochMs } from "../schemas.ts";
import type { LetterSource } from "../sources/letters.ts";
import { view } from "../views.ts";
import { action } from "./letter.ts";
import { blocked } from "./schemas.ts";
import { OUTCOMES } from "./show.ts";

const query = z.object({ before: z.string().max(4_096).optional().describe("The cursor of the page before this one") });
const answer = z.object({
  actions: z.array(action).describe("Newest first"),
  more: z.string().nullable().describe("Where the next page goes on; null: there is none"),
  back: epochMs.nullable(),
  blocked,
});

const A_PAGE = 100;
const auditPage = view("audit");

/** What was asked to be done with dead letters, by whom and when, and what came of it. */
export const audit = (source: LetterSource): Resource =>
  resource({
    path: "/audit",
    summary: "What was done with dead letters, by whom and when",
    query,
    answer,
    needsDetails: true,
    title: () => "Audit",
    show: showAudit,
    async read({ before }, { mayAct }) {
      const [{ actions, more, back }, why] = await Promise.all([
        source.letters().auditPage({ limit: A_PAGE, before }),
        mayAct ? source.blocked() : null,
      ]);
      return { actions: actions.map((each) => ({ ...each })), more: more?.cursor ?? null, back, blocked: why };
    },
  });

function showAudit({ actions, more, blocked: why }: z.infer<typeof answer>, shown: Shown): string {
  return auditPage({
    ...shown,
    actions: actions.map((each) => ({ ...each, when: time(each.time), words: OUTCOMES[each.outcome] })),
    blocked: why,
    more: more === null ? null : `${shown.base}/audit?${new URLSearchParams({ before: more }).toString()}`,
  });
}
