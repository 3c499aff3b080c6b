import type { Bus, Received } from "../bus.ts";
import { ConfigError } from "../errors.ts";
import { readAction, type Action } from "./actions.ts";
import { letterCounts, type LetterCounts } from "./counts.ts";
import { beforeCursor, type Span } from "./cursor.ts";
import { letterMatcher, type LetterFilter } from "./filter.ts";
import type { Progress } from "./follow.ts";
import { Groups, type LetterGroups } from "./groups.ts";
import { letterId, placeOf, readLetter, type Letter } from "./letter.ts";
import { newestFirst, type Looked } from "./newest-first.ts";
import { byIds, oldestFirst, span, spansOf } from "./scan.ts";
import { followStanding } from "./standing.ts";

/** What somebody asked for or what came of it, and when (epoch ms). */
export interface LoggedAction extends Action {
  readonly time: number;
}

interface PageOptions {
  /** 1 to 1,000. */
  readonly limit: number;
  /** The cursor of the page before this one; default: the newest. */
  readonly before?: string | undefined;
}

export interface LetterPageOptions extends PageOptions {
  readonly filter?: LetterFilter;
}

export interface AuditPageOptions extends PageOptions {
  /** Of this letter only. */
  readonly letter?: string | undefined;
}

/** One page of what is newest first. A call looks at about 20,000 records: there may be more even if nothing was found. */
interface Page extends Pick<Looked<unknown>, "more" | "looked" | "back"> {}

export interface LetterPage extends Page {
  readonly letters: readonly Letter[];
}

export interface AuditPage extends Page {
  readonly actions: readonly LoggedAction[];
}

export interface GroupsOptions {
  readonly filter?: LetterFilter;
  readonly signal?: AbortSignal;
  /** Told now and then, in positions of the topic. */
  readonly onProgress?: (progress: Progress) => void;
}

const MOST_OF_A_PAGE = 1_000;
const TELL_EVERY = 1_000;

/** Reads the letters in `topic`, and in `actions` what was done with them. All but `audit` throw UnknownTopic where there is no `topic`. */
export function letterReading(bus: Bus, topic: string, actions: string) {
  const standing = followStanding(bus, actions);
  const letterOf = (record: Received) => readLetter(record, standing.of(letterId(record)));

  async function* list(filter: LetterFilter = {}, upTo?: string): AsyncGenerator<Letter> {
    const fits = letterMatcher(filter);
    const spans = beforeCursor(await spansOf(bus, topic, actions), upTo);
    await standing.refresh();
    const records = filter.ids ? byIds(bus, topic, spans, filter.ids) : oldestFirst(bus, topic, spans);
    for await (const record of records) {
      const letter = letterOf(record);
      if (fits(letter)) yield letter;
    }
  }

  async function page({ filter = {}, limit, before }: LetterPageOptions): Promise<LetterPage> {
    checkLimit(limit);
    const fits = letterMatcher(filter);
    const spans = beforeCursor(await spansOf(bus, topic, actions), before);
    await standing.refresh();
    const read = (record: Received) => {
      const letter = letterOf(record);
      return fits(letter) ? letter : null;
    };
    const among = filter.ids ? around(spans, filter.ids) : spans;
    const { found, ...looked } = await newestFirst({ bus, topic, spans: among, limit, read });
    return { letters: found, ...looked };
  }

  async function groups({ filter = {}, signal, onProgress }: GroupsOptions = {}): Promise<LetterGroups> {
    const fits = letterMatcher(filter);
    const spans = await spansOf(bus, topic, actions);
    await standing.refresh();
    const counted = new Groups();
    const total = spans.reduce((sum, { low, end }) => sum + Number(end - low), 0);
    let [before, looked] = [0, 0];
    for (const lane of spans) {
      for await (const record of span(bus, topic, lane)) {
        signal?.throwIfAborted();
        const letter = letterOf(record);
        if (fits(letter)) counted.add(letter, letter.state);
        const read = before + Number(BigInt(record.position) - lane.low);
        if (++looked % TELL_EVERY === 0) onProgress?.({ read, total });
      }
      before += Number(lane.end - lane.low);
    }
    onProgress?.({ read: total, total });
    return counted.report();
  }

  async function* audit(letter?: string): AsyncGenerator<LoggedAction> {
    if (!(await bus.knows(actions))) return;
    for await (const record of oldestFirst(bus, actions, await spansOf(bus, actions, actions))) {
      const said = loggedOf(record, letter);
      if (said) yield said;
    }
  }

  async function auditPage({ letter, limit, before }: AuditPageOptions): Promise<AuditPage> {
    checkLimit(limit);
    const all = (await bus.knows(actions)) ? await spansOf(bus, actions, actions) : [];
    const read = (record: Received) => loggedOf(record, letter);
    const { found, ...looked } = await newestFirst({
      bus,
      topic: actions,
      spans: beforeCursor(all, before),
      limit,
      read,
    });
    return { actions: found, ...looked };
  }

  const counts = (signal?: AbortSignal): LetterCounts => letterCounts(bus, topic, standing, signal);

  return { list, page, groups, counts, refresh: standing.refresh, audit, auditPage };
}

function loggedOf(record: Received, letter: string | undefined): LoggedAction | null {
  const said = readAction(record);
  if (!said || (letter !== undefined && said.asked.letter !== letter)) return null;
  return { time: record.timestamp, ...said.asked };
}

function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST_OF_A_PAGE) return;
  throw new ConfigError([
    `a page of ${limit} can't be had: ask for 1 to ${MOST_OF_A_PAGE.toLocaleString("en")}, and for the next page with its cursor`,
  ]);
}

/** What of the lanes lies between the first and the last of these letters that are there. */
function around(spans: readonly Span[], ids: readonly string[]): readonly Span[] {
  const places = Map.groupBy(ids.map(placeOf), ({ lane }) => lane);
  return spans.map(({ lane, low, end }) => {
    const named = places.get(lane)?.map(({ position }) => position) ?? [];
    const positions = named.filter((position) => position >= low && position < end);
    if (positions.length === 0) return { lane, low: end, end };
    const first = positions.reduce((a, b) => Math.min(a, b));
    const last = positions.reduce((a, b) => Math.max(a, b));
    return { lane, low: BigInt(first), end: BigInt(last) + 1n };
  });
}
