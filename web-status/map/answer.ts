import { z } from "zod";

/** What a stop is found to be, worst first: a group is shown as the first of these that one of its stops is. */
export const STATES = ["down", "held", "failing", "paused", "lagging", "running", "idle"] as const;
export type State = (typeof STATES)[number];

const perSecond = z.number().describe("Messages a second, now");

const end = z.object({
  rate: perSecond,
  recent: z.number().describe("How many lately"),
  share: z
    .number()
    .describe(
      "Of what the stop was done with, 0 to 1, in the last minute if it handled 20 messages in that, else lately",
    ),
});

const stop = z.object({
  stop: z.string(),
  state: z
    .enum(STATES)
    .describe(
      "down: messages wait, or are sent, and no process has it; held: its breaker is open; failing: many become dead letters or are put off",
    ),
  brief: z.string().describe("Why, in at most some 20 characters"),
  words: z.string().describe("Why, in a sentence"),
  rate: perSecond,
  processed: z.number(),
  recent: z.number().describe("How many it was done with lately"),
  waiting: z.number().nullable().describe("Messages that wait for it; null: nobody knows"),
  instances: z.number().describe("Processes that have it"),
  dropped: end,
  dead: end,
  later: end.describe("Put off; its share is one of all attempts"),
  boards: z
    .number()
    .nullable()
    .describe(
      "Messages a second, now, that come here from no other stop; null: none do, and some come from another one",
    ),
});

const way = z.object({
  from: z.string(),
  to: z.string(),
  rate: perSecond.nullable().describe("Messages a second, now; null: the stop they come from does not tell"),
  recent: z.number().describe("How many lately"),
  share: z
    .number()
    .nullable()
    .describe("Of what the stop they come from was done with, 0 to 1, in the same time as its other shares"),
  p95Ms: z
    .number()
    .nullable()
    .describe(
      "95 of 100 came from stop to stop within so many milliseconds, in the last minute if the stop they go to handled 20 messages in that, else lately; null: nobody knows",
    ),
  old: z.boolean().describe("None went this way lately"),
});

/** The route map as traffic draws it. "Lately" is since `since`, 12 to 16 minutes before `at`. */
export const topologyAnswer = z.object({
  at: z.number().describe("Epoch ms"),
  since: z.number().describe("Since when traffic counts as late, epoch ms"),
  stops: z.array(stop).describe("In the order in which messages visit them"),
  ways: z.array(way),
});

export type Topology = z.infer<typeof topologyAnswer>;
export type MapStop = z.infer<typeof stop>;
export type MapWay = z.infer<typeof way>;
export type End = z.infer<typeof end>;
