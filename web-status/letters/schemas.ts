import type { LetterFilter } from "metrobus";
import { z } from "zod";
import { epochMs, optional } from "../schemas.ts";

export const state = z.enum(["open", "asked", "replayed", "discarded"]);

const text = z.string().trim().max(1_024);
/** The end of the year 9999: a form's field for times ends there. */
const LATEST = 253_402_300_799_999;
const time = z.union([
  z.coerce.number().int().min(0).max(LATEST),
  z.iso.datetime({ local: true }).transform((at) => Date.parse(`${at.replace(/Z$/, "")}Z`)),
]);
/** What letters are meant, as a form or a query has it: an empty field means any. */
export const filterFields = {
  stop: optional(text),
  reason: optional(text),
  errorName: optional(text).describe("The error's name"),
  error: optional(text).describe("Part of the error's name or message"),
  since: optional(time).describe("Epoch ms, or ISO 8601 in UTC"),
  until: optional(time).describe("Epoch ms, or ISO 8601 in UTC"),
  key: optional(text),
  messageId: optional(text),
  state: optional(state),
};
export const filterSchema = z.object(filterFields);
export type Filter = z.infer<typeof filterSchema>;

export const letter = z.object({
  id: z.string(),
  state,
  time: epochMs,
  stop: z.string(),
  reason: z.string(),
  error: z.string().describe("The error's name"),
  message: z.string(),
  attempts: z.number(),
  messageId: z.string(),
  key: z.string().nullable(),
  replayOf: z.object({ letter: z.string(), count: z.number() }).nullable(),
});

export const totals = z.object({
  open: z.number(),
  asked: z.number(),
  replayed: z.number(),
  discarded: z.number(),
  first: epochMs,
  last: epochMs,
});

export const report = z.object({
  asked: z.number(),
  done: z.number(),
  already: z.number(),
  failed: z.number(),
  failures: z.array(z.object({ letter: z.string(), why: z.string() })),
});

export const run = z.object({
  id: z.string(),
  action: z.enum(["replay", "discard"]),
  filter: z.record(z.string(), z.unknown()).describe("Without key, message id and error where you may not see details"),
  from: z.string().nullable().describe("Rewound to this stop; null: to where each failed"),
  route: z
    .array(z.string())
    .nullable()
    .describe("On to these stops, the next one first; null: to those of each letter's route"),
  rate: z.number().describe("Letters a second, at most; 0: as fast as it goes"),
  by: z.string(),
  why: z.string().describe('"": none, or you may not see it'),
  at: epochMs,
  state: z.enum(["running", "stopping", "stopped", "done", "failed"]),
  total: z.number().nullable(),
  report: report.describe("Without failures where you may not see details"),
  error: z.string().describe('Why it has failed; "": it has not, or you may not see it'),
  worker: z.string().describe('The process that works on it; "": none now'),
});

/** Those of a filter that are given. */
export const given = (filter: Filter): LetterFilter =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as LetterFilter;

export const keyText = (key: Buffer | null): string | null => key?.toString() ?? null;

export const blocked = z
  .string()
  .nullable()
  .describe("Why letters can't be acted on, and what to do about it; null: they can, or you may not");

/** Stops, as a field has them with commas between. */
export const stopsOf = (text: string): string[] => (text.trim() ? text.split(",").map((stop) => stop.trim()) : []);
