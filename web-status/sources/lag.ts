import { setTimeout as sleep } from "node:timers/promises";
import type { Instance, LaneState, MetroBus, Snapshot } from "metrobus";
import type { BusSource } from "./bus.ts";
import { readMessage } from "./search.ts";
import { topicsOf } from "./topics.ts";

/** What waits in one lane of a stop's topic. */
export interface LaneLag {
  readonly lane: string;
  readonly position: number;
  readonly end: number;
  readonly messages: number;
  /** For how long the oldest has been waiting; null: nothing waits, or it can't be read. */
  readonly seconds: number | null;
  /** Messages a second, over the last half minute; null: nobody knows. */
  readonly growth: number | null;
  /** The process that has the lane; null: none. */
  readonly instance: string | null;
  /** When its position moved last, epoch ms; 0: nobody knows. */
  readonly movedAt: number;
  /** For how long records have been waiting and its position has not moved, ms; 0: nothing waits, or nobody knows. */
  readonly standingMs: number;
  /** The id of the message at its position; null: nothing waits, or it can't be read. */
  readonly message: string | null;
}

/** What waits for a stop. */
export interface StopLag {
  readonly messages: number;
  readonly seconds: number | null;
  readonly growth: number | null;
}

export interface Lag {
  /** What waits for each stop, as processes tell of it, and the bus where none does: at most 15 s old. Asks nobody. */
  all(snapshot: Snapshot): ReadonlyMap<string, StopLag>;
  /** Lane by lane, with the age of what waits. Without a bus as the processes tell of it. */
  of(stop: string, snapshot: Snapshot): Promise<readonly LaneLag[]>;
}

const LOOK_EVERY_MS = 10_000;
/** A bus that is away takes its time to say so, and a page has none. */
const PATIENCE_MS = 800;
const AGES_AT_ONCE = 8;

export function lagSource(bus: BusSource): Lag {
  /** Of stops that no process tells of. */
  let untold = new Map<string, StopLag>();
  /** The age of the oldest that waits, by stop. */
  let ages = new Map<string, number | null>();
  /** What is asked of the bus now, by stop. */
  const asking = new Map<string, Promise<readonly LaneLag[]>>();
  let lookedAt = -Infinity;
  let looking = false;

  /** One after the other, so that a thousand stops are no burst. */
  async function look(snapshot: Snapshot): Promise<void> {
    const metro = bus.get();
    const [foundUntold, foundAges] = [new Map<string, StopLag>(), new Map<string, number | null>()];
    const lanesTold = lanesOf(snapshot.instances);
    for (const stop of topicsOf(snapshot)) {
      const told = lanesTold.get(stop) ?? [];
      const lanes = told.length > 0 ? told : lanesOfBus(await stateOf(metro, stop, snapshot));
      const { seconds } = oldest(
        await Promise.all(worstOf(lanes).map((lane) => firstOf(metro, stop, lane, snapshot.at))),
      );
      if (told.length === 0 && lanes.length > 0) foundUntold.set(stop, { ...sum(lanes), seconds });
      else foundAges.set(stop, seconds);
    }
    [untold, ages] = [foundUntold, foundAges];
  }

  function lookNowAndThen(snapshot: Snapshot): void {
    if (looking || performance.now() - lookedAt < LOOK_EVERY_MS) return;
    looking = true;
    void look(snapshot)
      .catch(() => undefined)
      .finally(() => {
        looking = false;
        lookedAt = performance.now();
      });
  }

  return {
    all(snapshot) {
      lookNowAndThen(snapshot);
      const found = new Map(untold);
      for (const [stop, lanes] of lanesOf(snapshot.instances))
        found.set(stop, { ...sum(lanes), seconds: ages.get(stop) ?? null });
      return found;
    },
    of(stop, snapshot) {
      const told = lanesOf(snapshot.instances).get(stop) ?? [];
      const asked = asking.get(stop) ?? ask(stop, snapshot, told).finally(() => asking.delete(stop));
      asking.set(stop, asked);
      return Promise.race([asked.catch(() => told), sleep(PATIENCE_MS, told, { ref: false })]);
    },
  };

  async function ask(stop: string, snapshot: Snapshot, told: readonly LaneLag[]): Promise<readonly LaneLag[]> {
    const metro = bus.get();
    const lanes = lanesOfBus(await stateOf(metro, stop, snapshot), told);
    const withAges: LaneLag[] = [];
    for (let at = 0; at < lanes.length; at += AGES_AT_ONCE) {
      const some = lanes.slice(at, at + AGES_AT_ONCE).map(async (lane) => {
        return lane.messages === 0 ? lane : { ...lane, ...(await firstOf(metro, stop, lane, snapshot.at)) };
      });
      withAges.push(...(await Promise.all(some)));
    }
    return withAges;
  }
}

/** Of each stop of which processes have lanes, as they tell of them. */
function lanesOf(instances: readonly Instance[]): Map<string, LaneLag[]> {
  const found = new Map<string, LaneLag[]>();
  for (const { instance, stops } of instances) {
    for (const { stop, lanes } of stops) {
      if (lanes.length === 0) continue;
      const told = lanes.map((lane) => ({
        ...lane,
        messages: Math.max(0, lane.end - lane.position),
        seconds: null,
        message: null,
        instance,
      }));
      found.set(stop, [...(found.get(stop) ?? []), ...told].toSorted(byLane));
    }
  }
  return found;
}

/** As the bus has them, with what the processes tell of them besides. */
function lanesOfBus(states: readonly LaneState[], told: readonly LaneLag[] = []): LaneLag[] {
  return states
    .map(({ lane, position, end }) => {
      const { growth, instance, movedAt, standingMs } = told.find((each) => each.lane === lane) ?? NOBODY;
      const messages = Math.max(0, Number(end - position));
      return {
        lane,
        position: Number(position),
        end: Number(end),
        messages,
        seconds: null,
        growth,
        instance,
        movedAt,
        standingMs,
        message: null,
      };
    })
    .toSorted(byLane);
}

const NOBODY = { growth: null, instance: null, movedAt: 0, standingMs: 0 };

const byLane = (a: LaneLag, b: LaneLag): number => Number(a.lane) - Number(b.lane) || (a.lane < b.lane ? -1 : 1);

/** By the group that its processes are in, or would be. */
async function stateOf(metro: MetroBus, stop: string, { instances }: Snapshot): Promise<readonly LaneState[]> {
  const told = instances.flatMap(({ stops }) => stops).find((each) => each.stop === stop);
  if (!(await metro.bus.knows(stop))) return [];
  return told ? metro.bus.state(told.group, stop) : metro.state(stop);
}

/** The age and the id of the message that a lane stands at. `now` is by the clock of the counts: pages whose own are off show the same. */
async function firstOf({ bus }: MetroBus, topic: string, { lane, position }: LaneLag, now: number): Promise<First> {
  try {
    for await (const record of bus.read(topic, lane, BigInt(position), 1)) {
      const seconds = Math.max(0, (now - record.timestamp) / 1_000);
      return { seconds, message: readMessage(record)?.id ?? null };
    }
  } catch {
    // It is told without them.
  }
  return { seconds: null, message: null };
}

type First = Pick<LaneLag, "seconds" | "message">;

/** Those lanes where the oldest message will be: where most wait, and where nothing has moved for longest. */
function worstOf(lanes: readonly LaneLag[]): readonly LaneLag[] {
  const waiting = lanes.filter(({ messages }) => messages > 0);
  const by = (of: (lane: LaneLag) => number) => waiting.toSorted((one, other) => of(other) - of(one)).slice(0, 1);
  return [...new Set([...by(({ messages }) => messages), ...by(({ standingMs }) => standingMs)])];
}

/** null: nothing waits, or its age can't be read. */
function oldest(lanes: readonly Pick<LaneLag, "seconds">[]): Pick<StopLag, "seconds"> {
  const ages = lanes.flatMap(({ seconds }) => seconds ?? []);
  return { seconds: ages.length > 0 ? Math.max(...ages) : null };
}

/** The oldest message's age is that of the lane where it has waited longest. */
export function sum(lanes: readonly LaneLag[]): StopLag {
  const growths = lanes.flatMap(({ growth }) => growth ?? []);
  return {
    messages: lanes.reduce((total, { messages }) => total + messages, 0),
    ...oldest(lanes),
    growth: growths.length > 0 ? growths.reduce((total, growth) => total + growth, 0) : null,
  };
}
