import type { Logger } from "pino";
import type { Batch, Bus, ConsumeOptions, Subscription } from "../../bus.ts";
import { durationText } from "../../duration.ts";
import { ConfigError, LaneLost } from "../../errors.ts";
import { isTopic } from "../../route.ts";
import { onlyOurs, parking, type OnBatch, type Tier } from "./batches.ts";
import { deliver } from "./deliver.ts";

export interface LaterSetting {
  /** Whether topics that are missing are created. */
  readonly createTopics: boolean;
  readonly deadLetterTopic: string;
  readonly log: Logger;
}

/** As Kafka keeps records by default. */
const WEEK_MS = 7 * 86_400_000;

/**
 * Any bus, with `ConsumeOptions.later`: a settlement parks a record in a topic of its delay,
 * `<group>.later.<delay>`; the subscription itself reads that topic and delivers what is due, by a settlement too. So
 * what is parked outlives whoever parked it, and both ways keep the promises of `Batch.settle`.
 */
export function withLater(bus: Bus, setting: LaterSetting): Bus {
  async function consume(options: ConsumeOptions, onBatch: OnBatch): Promise<Subscription> {
    const ours = onlyOurs(options.group, onBatch);
    const tiers = tiersOf(options);
    if (tiers.length === 0) return await bus.consume(options, ours);
    await prepare(bus, tiers, options, setting);
    const ending = new AbortController();
    const unwritten = new Map<Batch, string>();
    const reading = {
      ...setting,
      topic: options.topic,
      group: options.group,
      ending: ending.signal,
      stuck: (batch: Batch, why: string | null) => void (why ? unwritten.set(batch, why) : unwritten.delete(batch)),
    };
    const read = ({ name, delay }: Tier) =>
      bus.consume(ofTier(name, options), deliver({ ...reading, delay, log: setting.log.child({ tier: name }) }));
    const [main, ...readers] = await allOrNone([bus.consume(options, parking(tiers, ours)), ...tiers.map(read)]);
    const all = [main!, ...readers];
    return {
      lanes: () => main!.lanes(),
      problem() {
        const problem = all.map((each) => each.problem?.()).find(Boolean);
        const [why] = unwritten.values();
        return problem ?? (why === undefined ? null : `a dead letter can't be written: ${why}`);
      },
      failed: Promise.race(all.map(({ failed }) => failed)),
      async stop(deadline, work) {
        ending.abort(new LaneLost(options.topic, "the subscription is ending"));
        await Promise.all([main!.stop(deadline, work), ...readers.map((reader) => reader.stop(deadline))]);
      },
    };
  }
  return { ...bus, consume };
}

function tiersOf({ group, later = [] }: ConsumeOptions): Tier[] {
  return later.map((delay) => ({ name: `${group}.later.${durationText(delay)}`, delay }));
}

/** What is parked was parked for this group, so a new reader begins at the oldest. */
function ofTier(name: string, options: ConsumeOptions): ConsumeOptions {
  const onGap: ConsumeOptions["onGap"] = (gap) => options.onGap?.({ ...gap, lane: `${gap.lane} of ${name}` });
  return { ...options, topic: name, group: name, start: "earliest", onGap };
}

/** Sees to it that the tiers' topics are there. */
async function prepare(bus: Bus, tiers: readonly Tier[], { topic, group }: ConsumeOptions, setting: LaterSetting) {
  if (!tiers.every(({ name }) => isTopic(name)))
    throw new ConfigError([
      `stop "${topic}" can't put messages off: topics are named after its group "${group}" for that, so it must be at most 230 letters, digits, ".", "_" or "-"`,
    ]);
  if (setting.createTopics)
    return await bus.create(tiers.map(({ name, delay }) => ({ topic: name, keepMs: WEEK_MS + delay })));
  const known = await Promise.all(tiers.map(({ name }) => bus.knows(name)));
  const missing = tiers.filter((_, at) => !known[at]).map(({ name }) => `"${name}"`);
  if (missing.length > 0)
    throw new ConfigError([
      `stop "${topic}" puts messages off into topics that do not exist: create ${missing.join(", ")}, or start it with METROBUS_CREATE_TOPICS=true`,
    ]);
}

/** All of them; or what the first that failed says, and the others are stopped. */
async function allOrNone(joining: readonly Promise<Subscription>[]): Promise<readonly Subscription[]> {
  const outcomes = await Promise.allSettled(joining);
  const joined = outcomes.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failed = outcomes.find((each) => each.status === "rejected");
  if (!failed) return joined;
  await Promise.all(joined.map((each) => each.stop(Date.now())));
  throw failed.reason;
}
