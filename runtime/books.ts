import { reasonOf } from "./letter.ts";
import type { Logger } from "./logger.ts";
import type { Settling } from "./settlement.ts";
import type { StatsRecorder } from "./stats-recorder.ts";
import type { OutcomeKind } from "./stats-store.ts";
import type { TripRecorder } from "./trip-recorder.ts";
import type { Visit } from "./visit.ts";

export interface Books extends Omit<Settling, "failed"> {
  /** Records that retention removed before they were read. */
  gap(gap: { lane: string; lost: bigint; resumedAt: string }): void;
  gaps(): number;
  /** Why dead letters can't be written at present, each reason once. */
  unwritten(): readonly string[];
}

export interface Told {
  readonly recorder: StatsRecorder;
  /** null: trips are off. */
  readonly trips: TripRecorder | null;
  readonly log: Logger;
}

/** Keeps a stop's books: what came of its messages goes to the counts, the trips and the log. */
export function openBooks(stop: string, { recorder, trips, log }: Told): Books {
  const waiting = new Map<Visit, Error>();
  let gaps = 0;

  return {
    settled(visit) {
      waiting.delete(visit);
      const [kind, detail] = resultOf(visit);
      recorder.times(stop, visit.workedMs, visit.waitedMs, visit.from);
      recorder.count(stop, kind, detail);
      trips?.settled(visit, kind, detail);
      const { outcome } = visit;
      if (outcome.kind !== "dead" && outcome.kind !== "later") return;
      const { lane: partition, position: offset } = visit.record;
      const facts = { id: visit.id, partition, offset, attempts: visit.attempt, err: outcome.error };
      if (outcome.kind === "later") log.warn(facts, `put off: it comes again in ${outcome.tier}`);
      else log.error(facts, `kept as a dead letter in ${visit.setting.rules.deadLetterTopic}`);
    },
    lost: (visit) => void waiting.delete(visit),
    stuck(visit, why) {
      waiting.set(visit, why);
      const partition = visit.record.lane;
      log.error({ partition, err: why }, "a dead letter can't be written: its partition waits until it can");
    },
    gap({ lane, lost, resumedAt }) {
      gaps += Number(lost);
      recorder.gap(stop, Number(lost));
      log.error(
        { partition: lane, lost: String(lost), resumedAt },
        "records were removed by retention before they were read: keep them for longer, or let the stop not be away for so long",
      );
    },
    gaps: () => gaps,
    unwritten: () => [...new Set([...waiting.values()].map((why) => why.message))],
  };
}

/** What it counts as, and the next stop or the reason. */
function resultOf({ outcome, next }: Visit): readonly [OutcomeKind, string] {
  if (outcome.kind === "drop") return ["dropped", outcome.reason];
  if (outcome.kind === "dead" || outcome.kind === "later") return [outcome.kind, reasonOf(outcome.error)];
  return next === undefined ? ["arrived", ""] : ["forwarded", next];
}
