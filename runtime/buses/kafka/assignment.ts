import type { EachBatchPayload } from "kafkajs";
import type { Logger } from "pino";
import { pause } from "../../backoff.ts";
import type { ConsumeOptions } from "../../bus.ts";
import type { AdminConnection } from "./connection.ts";
import { Lane, type LaneHolder } from "./lane.ts";
import type { Member } from "./member.ts";
import { orAborted, persist } from "./persist.ts";
import { receive } from "./receive.ts";
import { laneEnds, type LaneEnds, type Positions } from "./state.ts";

export interface AssignmentSetting {
  readonly options: ConsumeOptions;
  readonly admin: AdminConnection;
  readonly holder: LaneHolder;
  /** Where the group stands in partitions; one that is missing is not certain yet. */
  readonly positions: (partitions: readonly number[]) => Promise<Positions>;
  readonly member: () => Member;
  /** Called when all lanes that are ours have begun, or there are none: what is sent from now on will be read. */
  readonly begun: () => void;
  readonly log: Logger;
}

type LaneOffsets = LaneEnds & { readonly committed: number };

/** Somebody's transaction is open, and ends within milliseconds, or with its time-out. */
const UNCERTAIN_MS = 50;
const WORKED_ON = "another member has worked on it meanwhile";

/** The partitions that are ours, each with its lane. */
export function createAssignment({ options, admin, holder, positions, member, begun, log }: AssignmentSetting) {
  const { topic, group } = options;
  const lanes = new Map<number, Lane>();
  /** Lanes that began anew in a generation. */
  const restarts = new WeakMap<Lane, { readonly from: number | undefined }>();
  /** Lanes that were lost and have something open at the brokers. */
  const closing = new Set<Promise<void>>();
  /** By partition, the last gap that was told of. */
  const gaps = new Map<number, { readonly from: number; readonly to: number }>();
  let generation = new AbortController();

  /** A lane that is assigned again keeps its records and its work; the others are new or lost. */
  function joined(partitions: readonly number[], sameMember: boolean): void {
    generation.abort(new Error("the group has a newer generation"));
    generation = new AbortController();
    if (!sameMember) loseAll("this member had to join the group anew");
    for (const [partition, lane] of lanes) {
      lane.confirmed = false;
      if (!partitions.includes(partition)) lose(lane, "it was given to another member of the group");
      else if (lane.next >= 0) member().seek(partition, lane.next);
    }
    for (const partition of partitions) if (!lanes.has(partition)) add(partition);
    confirm(generation.signal);
  }

  function add(partition: number): Lane {
    const lane = new Lane(partition, holder);
    lanes.set(partition, lane);
    // kafkajs remembers that it was paused before it was lost.
    member().fetching(partition, true);
    return lane;
  }

  function lose(lane: Lane, why: string): void {
    lanes.delete(lane.partition);
    const closed = lane.lose(why).then(() => void closing.delete(closed));
    closing.add(closed);
  }

  function loseAll(why: string): void {
    for (const lane of lanes.values()) lose(lane, why);
  }

  /** Lanes begin, or go on, when the group's positions are known, and nobody else can change them. */
  function confirm(signal: AbortSignal): void {
    // None waits for another whose coordinator is away; those that are ready together ask together.
    const ready = new Set<Lane>();
    let asking = false;
    const ask = async () => {
      if (asking) return;
      asking = true;
      while (ready.size > 0) {
        const these = [...ready];
        ready.clear();
        const known = await offsetsNow(signal, these);
        for (const lane of these) {
          const offsets = known.get(lane.partition);
          lane.isUncertain = !offsets;
          if (offsets) confirmLane(lane, offsets, signal);
          else void later(lane).catch(() => undefined);
        }
        tellIfBegun();
      }
      asking = false;
    };
    const later = async (lane: Lane) => {
      await pause(UNCERTAIN_MS, signal, lane.signal);
      ready.add(lane);
      await ask();
    };
    const prepared = async (lane: Lane) => {
      await orAborted(lane.settler.prepare(), signal);
      ready.add(lane);
      await ask();
    };
    for (const lane of lanes.values()) void prepared(lane).catch(() => undefined);
    tellIfBegun();
  }

  function tellIfBegun(): void {
    if ([...lanes.values()].every(({ done }) => done >= 0)) begun();
  }

  function confirmLane(lane: Lane, offsets: LaneOffsets, signal: AbortSignal): void {
    if (lane.lost || signal.aborted || (lane.done >= 0 && lane.confirmed)) return;
    if (lane.done < 0) begin(lane, offsets);
    else if (offsets.committed > Math.max(lane.done, lane.attempted)) return startOver(lane, WORKED_ON);
    else lane.confirmed = true;
    Object.assign(lane, { low: offsets.low, end: offsets.end });
    lane.settler.look();
  }

  /** By partition; without those whose position is not certain yet. */
  async function offsetsNow(signal: AbortSignal, these: readonly Lane[]): Promise<Map<number, LaneOffsets>> {
    const what = `asking for the positions of group "${group}"`;
    const asked = these.map(({ partition }) => partition);
    const ask = () => Promise.all([laneEnds(admin, topic), positions(asked)]);
    const [ends, known] = await persist(ask, { what, log, signal });
    const certain = ends.filter(({ partition }) => known.has(partition));
    return new Map(certain.map((each) => [each.partition, { ...each, committed: known.get(each.partition)! }]));
  }

  function begin(lane: Lane, offsets: LaneOffsets): void {
    const restart = restarts.get(lane);
    const position = restart?.from ?? startOf(offsets, options.start);
    const isGroups = restart?.from === undefined && offsets.committed >= 0;
    if (isGroups && position !== offsets.committed) gap(lane, offsets.committed, position);
    const covered = lane.begin(position, offsets.committed);
    // Elsewhere kafkajs begins where we do: at the committed offset, else at the oldest record.
    const elsewhere = restart || !covered || (offsets.committed < 0 && position > offsets.low);
    if (elsewhere) member().seek(lane.partition, lane.next);
  }

  /** The lane begins anew at an offset, or else where the group stands. */
  function startOver(lane: Lane, why: string, from?: number): void {
    if (lane.lost) return;
    lose(lane, why);
    restarts.set(add(lane.partition), { from });
    confirm(generation.signal);
  }

  function fetched({ batch }: EachBatchPayload): void {
    const lane = lanes.get(batch.partition);
    if (!lane) return;
    // kafkajs has it, its types don't.
    const from = Number((batch as { fetchedOffset?: string }).fetchedOffset ?? lane.next);
    const end = Number(batch.highWatermark);
    const shorter = lane.done >= 0 && end < lane.next && from < lane.next;
    if (shorter || (lane.next >= 0 && from > lane.next)) return void comeBack(lane).catch(() => undefined);
    lane.end = end;
    lane.push(receive(batch, lane.next), from, Number(batch.lastOffset()) + 1);
  }

  /**
   * kafkajs does not read on from where we are. Either it has forgotten a seek, as it can with several brokers; or what
   * is next was removed by retention, which is a loss; or the partition has fewer records than were read of it, since
   * the topic was made anew or lost its end with a broker.
   */
  async function comeBack(lane: Lane): Promise<void> {
    const { next } = lane;
    const what = `asking for the ends of topic "${topic}"`;
    const ends = await persist(() => laneEnds(admin, topic), { what, log, signal: lane.signal });
    const known = ends.find(({ partition }) => partition === lane.partition);
    // What the answer tells is old when the lane was read on meanwhile: then it has come back already.
    if (!known || lane.lost || lane.next !== next) return;
    const { low, end } = known;
    if (end < next) {
      const about = { topic, partition: lane.partition, position: next, low, end };
      log.error(about, "the partition has fewer records than were read of it: reading it anew");
      gaps.delete(lane.partition);
      return startOver(lane, "its records are gone", low);
    }
    if (low > next) {
      gap(lane, next, low);
      lane.next = low;
    }
    member().seek(lane.partition, lane.next);
  }

  /** A lane that begins anew where the group stands may meet a gap that it has told of: nothing of that is told twice. */
  function gap({ partition }: Lane, position: number, resumedAt: number): void {
    const before = gaps.get(partition) ?? { from: 0, to: 0 };
    const again = Math.max(0, Math.min(before.to, resumedAt) - Math.max(before.from, position));
    const lost = Math.max(0, resumedAt - position) - again;
    gaps.set(partition, { from: again > 0 ? Math.min(before.from, position) : position, to: resumedAt });
    if (lost > 0 || again === 0)
      options.onGap?.({ lane: String(partition), lost: BigInt(lost), resumedAt: String(resumedAt) });
  }

  /** What the group's lanes and their ends are, for those that ask. */
  async function refresh(): Promise<void> {
    for (const { partition, low, end } of await laneEnds(admin, topic)) {
      const lane = lanes.get(partition);
      if (lane) Object.assign(lane, { low, end: Math.max(lane.end, end) });
    }
  }

  return {
    lanes,
    joined,
    fetched,
    startOver: (lane: Lane) => startOver(lane, WORKED_ON),
    loseAll(why: string) {
      generation.abort(new Error(why));
      loseAll(why);
    },
    refresh,
    /** Resolves when nothing of lanes that were lost is open at the brokers. */
    closed: async () => void (await Promise.all(closing)),
  };
}

/** Where a group begins. */
function startOf({ committed, low, end }: LaneOffsets, start: ConsumeOptions["start"]): number {
  if (committed >= low && committed <= end) return committed;
  return committed === -1 && start === "latest" ? end : low;
}
