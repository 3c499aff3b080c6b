import type { EachBatchPayload } from "kafkajs";
import type { Logger } from "pino";
import type { ConsumeOptions } from "../../bus.ts";
import type { AdminConnection } from "./connection.ts";
import { Lane, type LaneHolder } from "./lane.ts";
import type { Member } from "./member.ts";
import { persist } from "./persist.ts";
import { receive } from "./receive.ts";
import { laneOffsets, type LaneOffsets } from "./state.ts";

export interface AssignmentSetting {
  readonly options: ConsumeOptions;
  readonly admin: AdminConnection;
  readonly holder: LaneHolder;
  readonly member: () => Member;
  readonly log: Logger;
}

/** The partitions that are ours, each with its lane. */
export function createAssignment({ options, admin, holder, member, log }: AssignmentSetting) {
  const { topic, group } = options;
  const lanes = new Map<number, Lane>();
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
    void confirm(generation.signal).catch(() => undefined);
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
    lane.lose(why);
  }

  function loseAll(why: string): void {
    for (const lane of lanes.values()) lose(lane, why);
  }

  /** Lanes begin, or go on, when the group's positions are known. */
  async function confirm(signal: AbortSignal): Promise<void> {
    const what = `asking for the positions of group "${group}"`;
    const known = await persist(() => laneOffsets(admin, group, topic), { what, log, signal });
    if (signal.aborted) return;
    for (const offsets of known) {
      const lane = lanes.get(offsets.partition);
      if (!lane) continue;
      if (lane.done < 0) begin(lane, offsets);
      else if (offsets.committed > lane.done) startOver(lane, offsets, "another member has worked on it meanwhile");
      else lane.confirmed = true;
      Object.assign(lane, { low: offsets.low, end: offsets.end });
    }
    holder.commits.soon();
  }

  function begin(lane: Lane, offsets: LaneOffsets): void {
    const position = startOf(offsets, options.start);
    if (offsets.committed >= 0 && position !== offsets.committed) gap(lane, offsets.committed, position);
    // Elsewhere kafkajs begins where we do: at the committed offset, else at the oldest record.
    if (offsets.committed < 0 && position > offsets.low) member().seek(lane.partition, position);
    // A group that begins at the end commits that: what comes before its first commit is not to be missed.
    const committed = offsets.committed < 0 && options.start === "latest" ? -1 : position;
    lane.begin(position, committed);
  }

  function startOver(lane: Lane, offsets: LaneOffsets, why: string): void {
    lose(lane, why);
    const fresh = add(lane.partition);
    member().seek(lane.partition, startOf(offsets, "earliest"));
    begin(fresh, offsets);
  }

  function fetched({ batch }: EachBatchPayload): void {
    const lane = lanes.get(batch.partition);
    if (!lane) return;
    // kafkajs has it, its types don't.
    const from = Number((batch as { fetchedOffset?: string }).fetchedOffset ?? lane.next);
    const end = Number(batch.highWatermark);
    if (lane.done >= 0 && end < lane.next && from < lane.next) return rewritten(lane, from, end);
    if (lane.done >= 0 && from > lane.next) void jumped(lane, lane.next, from).catch(() => undefined);
    lane.end = end;
    lane.push(receive(batch, lane.next), Number(batch.lastOffset()) + 1);
  }

  /** The topic's log ends before what we have read of it: it was made anew, or lost its end with a broker. */
  function rewritten(lane: Lane, from: number, end: number): void {
    log.error(
      { topic, partition: lane.partition, position: lane.next, end, from },
      "the partition has fewer records than were read of it: reading it anew",
    );
    startOver(lane, { partition: lane.partition, low: from, end, committed: -2 }, "its records are gone");
    // The batch that told us comes again.
  }

  /** Records were left out in fetching: compaction and transactions do that, but so does retention, which is a loss. */
  async function jumped(lane: Lane, expected: number, from: number): Promise<void> {
    const what = `asking for the oldest records of topic "${topic}"`;
    const known = await persist(() => laneOffsets(admin, group, topic), { what, log, signal: generation.signal });
    const low = known.find(({ partition }) => partition === lane.partition)?.low ?? 0;
    if (low > expected) gap(lane, expected, Math.min(low, from));
  }

  function gap(lane: Lane, position: number, resumedAt: number): void {
    const lost = BigInt(Math.max(0, resumedAt - position));
    options.onGap?.({ lane: String(lane.partition), lost, resumedAt: String(resumedAt) });
  }

  /** What the group's lanes and their ends are, for those that ask. */
  async function refresh(): Promise<void> {
    for (const { partition, low, end } of await laneOffsets(admin, group, topic)) {
      const lane = lanes.get(partition);
      if (lane) Object.assign(lane, { low, end: Math.max(lane.end, end) });
    }
  }

  return {
    lanes,
    joined,
    fetched,
    loseAll(why: string) {
      generation.abort(new Error(why));
      loseAll(why);
    },
    reached: (partition: number, offset: number) => lanes.get(partition)?.reached(offset),
    refresh,
  };
}

/** -1: no position; -2: kafkajs was about to begin anew at the oldest record. */
function startOf({ committed, low, end }: LaneOffsets, start: ConsumeOptions["start"]): number {
  if (committed >= low && committed <= end) return committed;
  return committed === -1 && start === "latest" ? end : low;
}
