import type { Did, Instance, Pause, StopSnapshot } from "metrobus";
import { age, compact, count, duration } from "../format.ts";
import type { StopLag } from "../sources/lag.ts";
import { trendWords } from "../trend.ts";
import { STATES, type State } from "./answer.ts";
import { failing, mostly } from "./failing.ts";
import { standingLanes, standingWords } from "./standing.ts";

/** All that is known of a stop. */
export interface Facts {
  /** Epoch ms. */
  readonly now: number;
  readonly stop: string;
  /** Messages it is done with, as the original's `counter` has it too. */
  readonly processed: number;
  /** undefined: it has counted nothing, or as the Python original does. */
  readonly counts: StopSnapshot | undefined;
  readonly recent: Did | undefined;
  readonly lag: StopLag | undefined;
  readonly pause: Pause | undefined;
  /** Those that have it. */
  readonly instances: readonly Instance[];
  /** Those that had it and have vanished in the last quarter of an hour, the newest first. */
  readonly vanished: readonly Instance[];
  /** Messages a second that other stops send to it now. */
  readonly sentNow: number;
  /** How many other stops have sent to it lately. */
  readonly sentLately: number;
}

/** Why a stop is what it is: in at most some 20 characters, and in a sentence. */
export type Why = readonly [brief: string, words: string];

/** Somebody may be waiting for a message that is older. A hop takes milliseconds, and a burst is worked off within seconds. */
const LAGGING_S = 10;
/** A message that has just been sent may be on its way to a stop that tells nothing of itself, such as one in Python. */
const DOWN_S = 10;

/** Each says why a stop is that; null: it is not. */
const RULES: Readonly<Record<State, (facts: Facts) => Why | null>> = {
  down(facts) {
    const { counts, lag, sentNow, sentLately, instances } = facts;
    if (instances.length > 0 || (counts?.rate ?? 0) > 0) return null;
    if (lag && lag.messages > 0 && (lag.seconds ?? DOWN_S) >= DOWN_S)
      return [`${compact(lag.messages)} wait, no process`, `No process has it, and ${waiting(facts)}${lost(facts)}.`];
    const isNew = !counts && sentLately > 0;
    if (lag || tellsNothing(facts) || (sentNow === 0 && !isNew)) return null;
    return ["no process", `No process has it, and messages are sent to it${lost(facts)}.`];
  },

  held(facts) {
    const since = facts.counts?.breaker.openSince ?? 0;
    if (since === 0 || facts.pause) return null;
    const held = duration(Math.max(0, facts.now - since));
    return [
      briefly(facts) ?? "nearly all fail",
      `Nearly every message failed${mostly(facts.recent?.counts ?? [], "dead")}, so it has held them for ${held}; ${waiting(facts)}.`,
    ];
  },

  failing: (facts) => (facts.pause ? null : failing(facts)),

  paused(facts) {
    if (!facts.pause) return null;
    const { by, at } = facts.pause;
    const words = `Paused${by === "" ? "" : ` by ${by}`}${at > 0 ? ` ${age(at, facts.now)}` : ""}; ${waiting(facts)}.`;
    return [briefly(facts) ?? "nothing waits", words];
  },

  lagging(facts) {
    const { lag, counts } = facts;
    if (!lag || lag.messages === 0) return null;
    const rate = counts?.rate ?? 0;
    const seconds = lag.seconds ?? (rate > 0 ? lag.messages / rate : 0);
    const standing = standingLanes(facts.instances, facts.stop);
    if (seconds < LAGGING_S && standing.length === 0) return null;
    const words = [capital(waiting(facts)) + trend(lag) + lost(facts), standingWords(standing)];
    const brief = standing[0]
      ? `partition ${standing[0].lane} stands`
      : `${briefly(facts)}, ${duration(seconds * 1_000)}`;
    return [brief, `${words.filter(Boolean).join("; ")}.`];
  },

  running(facts) {
    const isSentTo = tellsNothing(facts) && facts.sentNow > 0;
    if ((facts.counts?.rate ?? 0) === 0 && !isSentTo) return null;
    if (facts.instances.length === 0) return [TELLS_LITTLE, `It tells little of itself; ${waiting(facts)}.`];
    return [processes(facts), `${capital(processes(facts))}; ${waiting(facts)}${partly(facts)}.`];
  },

  idle(facts) {
    const { counts, instances, now } = facts;
    const last = counts?.lastSeen
      ? `its last message was done ${age(counts.lastSeen, now)}`
      : "it has done nothing yet";
    if (instances.length > 0) return [processes(facts), `${capital(processes(facts))}; ${last}${partly(facts)}.`];
    if (tellsNothing(facts)) return [TELLS_LITTLE, "It only counts what it has processed."];
    return ["no process", `No process has it; ${waiting(facts)}; ${last}.`];
  },
};

const TELLS_LITTLE = "tells little";

/** The first of `STATES` that it is. */
export function stopState(facts: Facts): { readonly state: State; readonly brief: string; readonly words: string } {
  for (const state of STATES) {
    const why = RULES[state](facts);
    if (why) return { state, brief: why[0], words: why[1] };
  }
  throw new Error("a stop that is nothing else is idle");
}

/** As stops in Python do, which count what they have processed and no more. */
const tellsNothing = ({ counts, processed }: Facts): boolean => !counts && processed > 0;

const briefly = ({ lag }: Facts): string | null => (lag && lag.messages > 0 ? `${compact(lag.messages)} wait` : null);

function waiting({ lag }: Facts): string {
  if (!lag) return "what waits is not known";
  if (lag.messages === 0) return "nothing waits";
  const oldest = lag.seconds === null ? "" : `, the oldest for ${duration(lag.seconds * 1_000)}`;
  return `${count(lag.messages)} ${lag.messages === 1 ? "message waits" : "messages wait"}${oldest}`;
}

function trend(lag: StopLag): string {
  const words = trendWords(lag);
  return words ? `; ${words}` : "";
}

const processes = ({ instances: { length } }: Facts): string =>
  length === 1 ? "1 process" : `${count(length)} processes`;

/** That a process of it has been killed, or has crashed, a moment ago. */
function lost({ vanished: [newest], now }: Facts): string {
  return newest ? `; its process ${newest.instance} vanished ${age(newest.seenAt, now)}` : "";
}

/** What is in the way of some of its processes. */
function partly({ instances, stop }: Facts): string {
  const problems = instances.flatMap(({ stops }) => stops.find((each) => each.stop === stop)?.problems[0] ?? []);
  return problems.length === 0 ? "" : `; ${problems.length} of ${instances.length}: ${problems[0]}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
