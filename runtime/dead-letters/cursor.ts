import type { LaneState } from "../bus.ts";
import { ConfigError } from "../errors.ts";

/** A lane's records from `low` up to `end`. */
export type Span = Pick<LaneState, "lane" | "low" | "end">;

/** A place in each lane of a topic, as text: `0-117.1-20` is before position 117 of lane 0, and before 20 of lane 1. */
export const cursorText = (places: readonly Pick<Span, "lane" | "end">[]): string =>
  places.map(({ lane, end }) => `${lane}-${end}`).join(".");

const CURSOR = /^\d{1,10}-\d{1,15}(\.\d{1,10}-\d{1,15})*$/;

/** Lane → position. Throws ConfigError when the text is no cursor. */
export function readCursor(text: string): ReadonlyMap<string, bigint> {
  if (!CURSOR.test(text))
    throw new ConfigError([
      `${JSON.stringify(text.slice(0, 60))} is no place in a topic: take the cursor that the page before this one gave, or none to begin with the newest`,
    ]);
  const places = text.split(".").map((place) => place.split("-") as [lane: string, position: string]);
  return new Map(places.map(([lane, position]) => [lane, BigInt(position)]));
}

/** What of the lanes lies before a cursor. Lanes that came to the topic after it have nothing there. */
export function beforeCursor(spans: readonly Span[], cursor: string | undefined): readonly Span[] {
  if (cursor === undefined) return spans;
  const places = readCursor(cursor);
  return spans.map(({ lane, low, end }) => {
    const place = places.get(lane) ?? low;
    return { lane, low, end: place < end ? place : end };
  });
}
