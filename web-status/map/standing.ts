import type { Instance } from "metrobus";
import { count, duration } from "../format.ts";

/** A callback of seconds is not unusual, and one that takes longer is worth a look. */
const LONG_MS = 30_000;

/** A lane of which nothing has been done for long, though a process has it and messages wait. */
export interface Standing {
  readonly lane: string;
  readonly position: number;
  readonly ms: number;
}

/** Those of a stop, the one that has stood longest first. */
export function standingLanes(instances: readonly Instance[], stop: string): Standing[] {
  return instances
    .flatMap(({ stops }) => stops.filter((each) => each.stop === stop).flatMap(({ lanes }) => lanes))
    .filter(({ standingMs }) => standingMs >= LONG_MS)
    .map(({ lane, position, standingMs: ms }) => ({ lane, position, ms }))
    .toSorted((a, b) => b.ms - a.ms);
}

/** In words; null: none stands. */
export function standingWords([longest, ...others]: readonly Standing[]): string | null {
  if (!longest) return null;
  const more = others.length === 0 ? "" : `, and ${count(others.length)} more`;
  return `partition ${longest.lane} has stood at offset ${longest.position} for ${duration(longest.ms)}${more}`;
}
