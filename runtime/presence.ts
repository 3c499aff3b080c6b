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

/** How a lane has gone on since it is ours. */
interface Track {
  position: bigint;
  /** Epoch ms. */
  movedAt: number;
  /** Since when records have been waiting where it stands, by the process's own clock, ms; undefined: none waits. */
  standsSince: number | undefined;
  /** What waited in the last half minute, oldest first; times by the process's own clock, ms. */
  readonly lags: { readonly at: number; readonly lag: number }[];
}

const GROWTH_OVER_MS = 30_000;
const LEAST_MS = 3_000;

/** Messages a second; null: it is looked at for too short a time. */
function growthOf(lags: Track["lags"], lag: number): number | null {
  const at = performance.now();
  lags.push({ at, lag });
  while (lags[0]!.at < at - GROWTH_OVER_MS) lags.shift();
  const [first] = lags;
  return at - first!.at < LEAST_MS ? null : ((lag - first!.lag) * 1_000) / (at - first!.at);
}

/** What a started stop tells of itself, and how it hears that it is to hold its messages. */
export function membership({ stop, group, delivery, lanes, problems, gate, log }: Telling) {
  const tracks = new Map<string, Track>();
  let paused = false;

  function presenceOf({ lane, position, end }: LaneState): LanePresence {
    const track = tracks.get(lane) ?? { position, movedAt: 0, standsSince: undefined, lags: [] };
    tracks.set(lane, track);
    const now = performance.now();
    const hasMoved = position !== track.position;
    if (hasMoved) track.movedAt = Date.now();
    if (position >= end) track.standsSince = undefined;
    else if (hasMoved || track.standsSince === undefined) track.standsSince = now;
    track.position = position;
    const growth = growthOf(track.lags, Number(end - position));
    const standingMs = Math.round(now - (track.standsSince ?? now));
    return { lane, position: Number(position), end: Number(end), movedAt: track.movedAt, standingMs, growth };
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
