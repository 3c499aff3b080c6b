import type { Count, OutcomeKind } from "metrobus";
import { age, clock, share } from "../format.ts";
import { doneWith, many } from "./done.ts";
import type { Facts, Why } from "./stop-state.ts";

/** Above what single malformed messages come to, far below what a broken dependency does. */
const DEAD_SHARE = 0.05;
/** What is put off is not lost, and some of it is normal where a dependency limits the rate. */
const PUT_OFF_SHARE = 0.5;
/** Fewer are an accident, unless nothing else came. */
const LEAST = 3;
/** If it still failed as it did lately, so many would have failed by now, and none has: it is over. */
const OVER_AFTER = 5;
/** The seconds of which a rate is the mean. */
const RATE_S = 5;
/** So many processes are lost, and the last one so lately, that it is no accident. */
const DYING = 3;
const DYING_MS = 120_000;
/** A process that has just begun may not have joined its group yet. */
const STARTING_MS = 30_000;

/** Why a stop counts as failing; null: it does not. */
export function failing(facts: Facts): Why | null {
  return tooManyDead(facts) ?? tooManyPutOff(facts) ?? dying(facts) ?? problemEverywhere(facts);
}

function tooManyDead(facts: Facts): Why | null {
  const counts = facts.recent?.counts ?? [];
  const part = failingPart(facts, "dead", doneWith(counts), DEAD_SHARE);
  return (
    part && [
      `${part.share} dead`,
      `${part.share} of its messages become dead letters ${part.when}${mostly(counts, "dead")}.`,
    ]
  );
}

function tooManyPutOff(facts: Facts): Why | null {
  const counts = facts.recent?.counts ?? [];
  const part = failingPart(facts, "later", many(counts), PUT_OFF_SHARE);
  return (
    part && [
      `${part.share} put off`,
      `${part.share} of its attempts fail and are put off ${part.when}${mostly(counts, "later")}.`,
    ]
  );
}

/** How much fails, right now, or lately if it is not over; null: not too much. */
function failingPart({ counts, recent }: Facts, kind: OutcomeKind, of: number, least: number) {
  const rates = counts?.counts ?? [];
  const all = rates.reduce((sum, { rate }) => sum + rate, 0);
  const now = rates.reduce((sum, { outcome, rate }) => (outcome === kind ? sum + rate : sum), 0);
  if (now * RATE_S >= LEAST && now >= all * least) return { share: share(now, all), when: "now" };
  const failed = many(recent?.counts, kind);
  const isMuch = failed > 0 && failed >= of * least && (failed >= LEAST || failed === of);
  const isOver = now === 0 && all * RATE_S * (failed / of) >= OVER_AFTER;
  return isMuch && !isOver ? { share: share(failed, of), when: "lately" } : null;
}

/** Processes that die again and again, as those do that a message kills. */
function dying({ vanished, now }: Facts): Why | null {
  const [newest, ...others] = vanished;
  if (!newest || vanished.length < DYING || now - newest.seenAt > DYING_MS) return null;
  const first = others.at(-1)!;
  return [
    `${vanished.length} processes died`,
    `${vanished.length} of its processes have vanished since ${clock(first.seenAt)} without saying that they end, the last one ${age(newest.seenAt, now)}.`,
  ];
}

function problemEverywhere({ instances, stop, now }: Facts): Why | null {
  const problems = instances.map(({ startedAt, stops }) => {
    const isStarting = now - startedAt < STARTING_MS;
    return isStarting ? undefined : stops.find((each) => each.stop === stop)?.problems[0];
  });
  const [first] = problems;
  if (first === undefined || problems.includes(undefined)) return null;
  return ["can't go on", `${first.charAt(0).toUpperCase()}${first.slice(1)}.`];
}

/** What most of them were for; "": none were. */
export function mostly(counts: readonly Count[], kind: OutcomeKind): string {
  const most = counts.filter(({ outcome }) => outcome === kind).toSorted((a, b) => b.count - a.count)[0];
  return most?.detail ? `, most as “${most.detail}”` : "";
}
