import { setTimeout as sleep } from "node:timers/promises";
import type { Case } from "./compare.ts";
import { each, inTurn, ratio, type Bench, type Row } from "./measure.ts";
import { newGroup, startAt } from "./throughput.ts";

const LOOK_EVERY_MS = 100;
/** Of the messages; until then they get warm. */
const WARM_UP = 0.1;

/**
 * How many messages one makes in a second of CPU time while another one does as much work at the same time: for small differences,
 * since whatever else the machine has to do disturbs both alike, and which of them it lets run does not count.
 */
export async function sideBySide(
  bench: Bench,
  what: string,
  one: Case,
  other: Case,
  rounds: number,
  target: Row["target"],
): Promise<readonly Row[]> {
  let round = 0;
  // Who is started first may have it easier.
  const run = async () => {
    if (round++ % 2 === 0) return await together(bench, one, other);
    const { one: ofOther, other: ofOne } = await together(bench, other, one);
    return { one: ofOne, other: ofOther };
  };
  const { [what]: found } = await inTurn(bench, rounds, { [what]: run });
  return ratio(what, each(found, "one"), each(found, "other"), target);
}

/** Messages a CPU second, behind the warm-up of both, until the first of them is through. */
async function together({ cluster }: Bench, one: Case, other: Case): Promise<{ one: number; other: number }> {
  const { outputs, messages } = one.work;
  await cluster.empty(outputs);
  const runs = [one, other].map(({ variant, work: { topic } }) => ({ variant, topic, group: newGroup() }));
  const peers = runs.map(({ variant, topic, group }) => startAt(variant, cluster, topic, group));
  const failed = Promise.race(peers.map((peer) => peer.failed));
  const done = () => Promise.all(runs.map(({ group, topic }) => cluster.done(group, topic)));
  const until = async (isOver: (done: readonly number[]) => boolean): Promise<readonly number[]> => {
    for (;;) {
      const now = await Promise.race([failed, done()]);
      if (isOver(now)) return now;
      await sleep(LOOK_EVERY_MS);
    }
  };
  const used = async () => (await Promise.all(peers.map((peer) => peer.usage()))).map(({ cpuSeconds }) => cpuSeconds);
  const [warm, usedWarm] = [await until((now) => Math.min(...now) >= messages * WARM_UP), await used()];
  const [end, usedEnd] = [await until((now) => Math.max(...now) >= messages), await used()];
  await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
  const speed = (at: number) => (end[at]! - warm[at]!) / (usedEnd[at]! - usedWarm[at]!);
  return { one: speed(0), other: speed(1) };
}
