import { setImmediate as nextTurn } from "node:timers/promises";
import type { MetroBus, Received } from "metrobus";

/** A message as it lies in a topic. */
export interface Found {
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
  /** Epoch ms. */
  readonly at: number;
  readonly id: string;
  /** null: it has none, or it is no text. */
  readonly key: string | null;
  /** null: it is raw. */
  readonly header: Readonly<Record<string, unknown>> | null;
  readonly payload: unknown;
}

export interface Search {
  readonly topics: readonly string[];
  readonly fits: (message: Found) => boolean;
}

export interface SearchResult {
  /** The newest hundred, newest first. */
  readonly found: readonly Found[];
  /** How many messages were looked at. */
  readonly looked: number;
  /** All that came since then were looked at, epoch ms; null: all there are, or it ended before it came so far. */
  readonly back: number | null;
}

/** So many messages are looked at, the newest of each partition; a search takes no longer than this. */
const MOST_LOOKED = 50_000;
const MOST_FOUND = 100;
const WITHIN_MS = 5_000;

/** Looks through the newest messages of topics. Throws Unavailable. */
export async function search({ bus }: MetroBus, { topics, fits }: Search): Promise<SearchResult> {
  let found: Found[] = [];
  const deadline = performance.now() + WITHIN_MS;
  let looked = 0;
  let back: number | null = null;
  const isOver = () => looked >= MOST_LOOKED || performance.now() > deadline;
  for (const topic of topics) {
    if (isOver()) break;
    if (!(await bus.knows(topic))) continue;
    const lanes = await bus.state(GROUP, topic);
    const ofALane = Math.max(1, Math.floor(MOST_LOOKED / topics.length / lanes.length));
    for (const { lane, low, end } of lanes) {
      const isCut = end - low > ofALane;
      const from = isCut ? end - BigInt(ofALane) : low;
      if (isOver() || from >= end) continue;
      let isFirst = true;
      for await (const record of bus.read(topic, lane, from, ofALane)) {
        if (isFirst && isCut) back = Math.max(back ?? 0, record.timestamp);
        isFirst = false;
        const message = readMessage(record);
        if (message && fits(message)) found.push(message);
        if (found.length >= 2 * MOST_FOUND) found = newest(found);
        if (++looked % 100 === 0) await nextTurn();
        if (isOver()) break;
      }
    }
  }
  return { found: newest(found), looked, back: isOver() ? null : back };
}

const newest = (found: readonly Found[]): Found[] => found.toSorted((a, b) => b.at - a.at).slice(0, MOST_FOUND);

/** Nobody is in it, and nothing is committed. */
const GROUP = "metrobus-search";

/** The message whose id is its place in a topic, as that of a raw one is; null: it is not there any more. */
export async function byPlace({ bus }: MetroBus, id: string): Promise<Found | null> {
  const [, topic, lane, offset] = /^(.+)-(\d{1,10})-(\d{1,15})$/.exec(id) ?? [];
  if (!topic || !(await bus.knows(topic))) return null;
  const there = (await bus.state(GROUP, topic)).find((each) => each.lane === lane);
  const position = BigInt(offset!);
  if (!there || position < there.low || position >= there.end) return null;
  for await (const record of bus.read(topic, lane!, position, 1))
    return record.position === offset ? readMessage(record) : null;
  return null;
}

/** null: it is no JSON. */
export function readMessage({ topic, lane, position, timestamp, key, value }: Received): Found | null {
  try {
    const json = JSON.parse(String(value)) as unknown;
    const { header = null, payload } = envelopeOf(json);
    const id = typeof header?.["id"] === "string" ? header["id"] : `${topic}-${lane}-${position}`;
    const text = key?.toString() ?? null;
    return { topic, partition: lane, offset: position, at: timestamp, id, key: text, header, payload };
  } catch {
    return null;
  }
}

function envelopeOf(json: unknown): { header?: Readonly<Record<string, unknown>>; payload: unknown } {
  const { header, payload, body } = (json ?? {}) as Record<string, unknown>;
  const isEnvelope =
    typeof header === "object" && header !== null && Array.isArray((header as { route?: unknown }).route);
  return isEnvelope ? { header: header as Record<string, unknown>, payload: payload ?? body } : { payload: json };
}

/** The names of a path such as `card.number`, `items.price` or `items[0].price`. */
export const pathOf = (text: string): string[] =>
  text
    .replaceAll(/\[(\d+|\*)\]/g, ".$1")
    .split(".")
    .filter(Boolean);

/** Arrays in arrays: a payload may be anything. */
const DEEPEST = 100;

/** What a path leads to in a payload: all there is, since arrays are gone through, but where it names a place in one. */
export function valuesAt(payload: unknown, path: readonly string[], depth = 0): unknown[] {
  const [name, ...rest] = path;
  if (depth > DEEPEST) return [];
  if (Array.isArray(payload)) {
    if (name !== undefined && /^\d+$/.test(name))
      return Number(name) in payload ? valuesAt(payload[Number(name)], rest) : [];
    return payload.flatMap((each) => valuesAt(each, name === "*" ? rest : path, depth + 1));
  }
  if (name === undefined) return [payload];
  const isThere = typeof payload === "object" && payload !== null && Object.hasOwn(payload, name);
  return isThere ? valuesAt((payload as Record<string, unknown>)[name], rest) : [];
}
