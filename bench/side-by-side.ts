import { setTimeout as sleep } from "node:timers/promises";
import type { Case } from "./compare.ts";
import { each, inTurn, ratio, type Bench, type Row } from "./measure.ts";
import { newGroup, startAt } from "./throughput.ts";

const LOOK_EVERY_MS = 100;
/** Of the messages; until then they get warm. */
const WARM_UP = 0.1;

/**
 * How far one comes while another one does as much work at the same time: for small differences, since whatever else the machine
 * has to do disturbs both alike.
 */
export async function sideBySide(
  bench: Bench,
  what: string,
  one: Case,
  other: Case,
  rounds: number,
  target: Row["target"],
): Promise<readonly Row[]> {
  const { [what]: found } = await inTurn(bench, rounds, { [what]: () => together(bench, one, other) });
  return ratio(what, each(found, "one"), each(found, "other"), target);
}

/** How many messages each has made, behind the warm-up of both, when the first of them is through. */
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
  const warm = await until((now) => Math.min(...now) >= messages * WARM_UP);
  const end = await until((now) => Math.max(...now) >= messages);
  await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
  return { one: end[0]! - warm[0]!, other: end[1]! - warm[1]! };
}
