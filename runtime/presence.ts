import type { LaneState } from "./bus.ts";
import type { Logger } from "./logger.ts";
import type { PauseGate } from "./pause-gate.ts";
import type { Member } from "./stats-recorder.ts";
import type { LanePresence, StopPresence } from "./stats-store.ts";

export interface Telling extends Pick<StopPresence, "stop" | "group" | "delivery"> {
  lanes(): readonly LaneState[];
  problems(): readonly string[];
  readonly gate: PauseGate;
  readonly log: Logger;
}

/** What a started stop tells of itself, and how it hears that it is to hold its messages. */
export function membership({ stop, group, delivery, lanes, problems, gate, log }: Telling) {
  const moved = new Map<string, { position: bigint; at: number }>();
  let paused = false;

  function presenceOf({ lane, position, end }: LaneState): LanePresence {
    const before = moved.get(lane);
    const movedAt = before && position !== before.position ? Date.now() : (before?.at ?? 0);
    moved.set(lane, { position, at: movedAt });
    return { lane, position: Number(position), end: Number(end), movedAt };
  }

  const member: Member = {
    stop,
    tell: () => ({ stop, group, delivery, paused, problems: problems(), lanes: lanes().map(presenceOf) }),
    pause(wanted) {
      gate.set(wanted);
      if (wanted !== paused) log.info(wanted ? "paused: its messages wait until somebody resumes it" : "resumed");
      paused = wanted;
    },
  };
  return {
    member,
    get paused() {
      return paused;
    },
    /** Where nobody says what is wanted, messages are not held. */
    begin: () => gate.set(paused),
  };
}

export type Membership = ReturnType<typeof membership>;
