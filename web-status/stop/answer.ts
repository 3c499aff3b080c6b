import { z } from "zod";
import { counted, epochMs, instance, lane, quantiles, totals, visit } from "../schemas.ts";

const step = totals.extend({
  at: epochMs.describe("When the step began, epoch ms"),
  drops: z.array(z.object({ reason: z.string(), count: z.number() })),
  workedMs: quantiles,
  waitedMs: quantiles,
});

/** What is told of one stop. */
export const stopAnswer = z.object({
  at: epochMs,
  stop: z.string(),
  state: z.string(),
  why: z.string().describe("The state in words"),
  fault: z.string().nullable().describe("Why the counts can't be read; what is told is then what they said last"),
  totals,
  rate: z.number().describe("Messages a second, now"),
  counts: z.array(counted),
  lastSeen: epochMs.describe("Epoch ms; 0: never"),
  gaps: z.number().describe("Records that retention removed before they were read"),
  workedMs: quantiles.describe("Over the span"),
  waitedMs: quantiles,
  lastMinute: z.object({ workedMs: quantiles, waitedMs: quantiles }),
  pause: z.object({ by: z.string(), at: epochMs }).nullable(),
  breaker: z.object({ openings: z.number(), openSince: epochMs.describe("Epoch ms; 0: it is closed") }),
  lag: z.object({
    messages: z.number(),
    seconds: z.number().nullable(),
    growth: z.number().nullable(),
    caughtUpInS: z.number().nullable().describe("Seconds, if it goes on as now; null: it does not, or nobody knows"),
    lanes: z.array(lane),
  }),
  instances: z.array(instance),
  vanished: z
    .array(instance)
    .describe(
      "Processes that have fallen silent in the last quarter of an hour without saying that they end, newest first",
    ),
  span: z.enum(["15m", "6h", "24h"]),
  stepMs: z.number(),
  history: z.array(step).describe("Oldest first"),
  failures: z
    .object({
      visits: z.array(visit.extend({ id: z.string(), key: z.string().nullable(), boarded: epochMs })),
      notKept: z.number(),
    })
    .nullable()
    .describe("What failed lately, newest first; null: you may not see it, or it can't be read now"),
  failuresFault: z.string().nullable().describe("Why it can't be read"),
});
export type StopAnswer = z.infer<typeof stopAnswer>;
