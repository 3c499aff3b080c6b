import type { Batch, Outgoing, Settled } from "../../bus.ts";
import { asItWas, hasComeBack, park } from "./parked.ts";

export interface Tier {
  /** The topic in which records of this tier are parked, and the group that reads it. */
  readonly name: string;
  /** For how long, ms. */
  readonly delay: number;
}

export type OnBatch = (batch: Batch) => Promise<void>;

/** Lets settlements park records. */
export function parking(tiers: readonly Tier[], onBatch: OnBatch): OnBatch {
  const parked = (out: readonly Outgoing[]) => out.map((each) => parkIn(tiers, each));
  return ({ records, signal, settle }) =>
    onBatch({
      records,
      signal,
      settle: (done, instead, sent) =>
        settle(
          done.map(({ index, out }) => ({ index, out: parked(out) })),
          (index, why) => parked(instead(index, why)),
          sent,
        ),
    });
}

/** In the first tier that is long enough, else in the last. */
function parkIn(tiers: readonly Tier[], message: Outgoing): Outgoing {
  const { notBefore } = message;
  if (notBefore === undefined) return message;
  const ahead = notBefore - Date.now();
  const tier = tiers.find(({ delay }) => delay >= ahead) ?? tiers.at(-1)!;
  return park(message, notBefore, tier.name);
}

/** Hands on what is ours: what comes back for another group of the topic is done with. */
export function onlyOurs(group: string, onBatch: OnBatch): OnBatch {
  return async (batch) => {
    if (!batch.records.some(hasComeBack)) return await onBatch(batch);
    const all = batch.records.map((record, index) => ({ index, record: asItWas(record, group) }));
    const ours = all.filter(({ record }) => record !== null);
    const others = all.filter(({ record }) => record === null).map(({ index }) => ({ index, out: [] }));
    // It resolves when all before them is settled, so nobody waits for it; they come again with a lane that is lost.
    if (others.length > 0) void batch.settle(others, () => []).catch(() => undefined);
    if (ours.length === 0) return;
    const { settle } = batch;
    const inAll = (done: readonly Settled[]) => done.map(({ index, out }) => ({ index: ours[index]!.index, out }));
    const inOurs = (index: number) => ours.findIndex((each) => each.index === index);
    await onBatch({
      records: ours.map(({ record }) => record!),
      signal: batch.signal,
      settle: (done, instead, sent) => settle(inAll(done), (index, why) => instead(inOurs(index), why), sent),
    });
  };
}
