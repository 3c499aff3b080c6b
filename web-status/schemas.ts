import { z } from "zod";
import { quantile, type Buckets } from "metrobus";

/** Parts of what programs are answered, as the API's document has them. */

export const epochMs = z.number().describe("Epoch milliseconds");
export const milliseconds = z.number().nullable().describe("Milliseconds; null: nothing was measured");
export const outcome = z.enum(["forwarded", "arrived", "dropped", "dead", "later"]);

export const quantiles = z.object({ p50: milliseconds, p95: milliseconds, p99: milliseconds });

export const quantilesOf = (buckets: Buckets): z.infer<typeof quantiles> => ({
  p50: quantile(buckets, 0.5),
  p95: quantile(buckets, 0.95),
  p99: quantile(buckets, 0.99),
});

export const counted = z.object({
  outcome,
  detail: z.string().describe("The next stop (forwarded), or the reason"),
  count: z.number(),
  rate: z.number().describe("Messages a second, now"),
});

export const totals = z.object({
  processed: z.number(),
  forwarded: z.number(),
  arrived: z.number(),
  dropped: z.number(),
  dead: z.number(),
  later: z.number(),
});

export const lane = z.object({
  lane: z.string().describe("Kafka: the partition"),
  position: z.number(),
  end: z.number(),
  messages: z.number().describe("How many wait"),
  seconds: z
    .number()
    .nullable()
    .describe("For how long the oldest has been waiting; null: nothing waits, or it can't be read"),
  growth: z.number().nullable().describe("Messages a second, over the last half minute; null: nobody knows"),
  instance: z.string().nullable().describe("The process that has it; null: none"),
  movedAt: z.number().describe("When its position moved last, epoch ms; 0: nobody knows"),
  standingMs: z
    .number()
    .describe(
      "For how long messages have been waiting and its position has not moved; 0: nothing waits, or nobody knows",
    ),
  message: z
    .string()
    .nullable()
    .describe("The id of the message at its position; null: nothing waits, it can't be read, or you may not see it"),
});

export const instance = z.object({
  instance: z.string(),
  host: z.string(),
  pid: z.number(),
  version: z.string().describe('What METROBUS_VERSION says; "": nothing'),
  startedAt: epochMs,
  seenAt: epochMs,
  group: z.string().describe("Its consumer group"),
  delivery: z.enum(["at-least-once", "exactly-once"]),
  paused: z.boolean(),
  problems: z.array(z.string()),
  lanes: z.array(z.string()),
  messages: z.number().describe("How many wait in its lanes"),
  movedAt: z.number().describe("When it got on last, epoch ms; 0: nobody knows"),
  standing: z.string().nullable().describe("Which of its lanes has stood still for long, in words; null: none"),
});

export const visit = z.object({
  stop: z.string(),
  from: z.string().describe('"": it came from no stop'),
  instance: z.string(),
  partition: z.string(),
  offset: z.string(),
  at: epochMs.describe("When it came to the stop, epoch ms"),
  waitedMs: z.number(),
  workedMs: z.number(),
  attempt: z.number(),
  outcome,
  detail: z.string().describe("The next stop, or the reason"),
  error: z.object({ name: z.string(), message: z.string() }).optional(),
  payload: z.string().optional().describe("What came to the stop, as JSON, where payloads are kept"),
});

/** A field of a form that may be left empty. */
export const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((given) => (given === "" ? undefined : given), schema.optional());
