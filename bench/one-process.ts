import { connect, MetroStop, type Settings } from "metrobus";
import { inTurn, ratio, type Bench, type Row } from "./measure.ts";
import { callbacks } from "./peers/callbacks.ts";
import { newGroup } from "./throughput.ts";
import type { Workload } from "./workload.ts";

/** A stop in the bench's own process. */
export interface Here {
  readonly work: Workload;
  readonly settings?: Settings;
}

/** Of the messages; until then it gets up to speed. */
const WARM_UP = 0.25;

/**
 * How many messages a second of CPU time one makes beside another, in turn and in this process: for small differences, since what a process
 * has of luck, as how its code was compiled, is the same for both, and what the broker does meanwhile does not count.
 */
export async function inOneProcess(
  bench: Bench,
  what: string,
  one: Here,
  other: Here,
  rounds: number,
  target: Row["target"],
): Promise<readonly Row[]> {
  const run = (here: Here) => () => speed(bench, here);
  for (const unmeasured of [one, other]) await speed(bench, unmeasured);
  const cases = { [`${what}: one`]: run(one), [`${what}: other`]: run(other) };
  const [ones, others] = Object.values(await inTurn(bench, rounds, cases));
  return ratio(what, ones!, others!, target);
}

async function speed({ cluster }: Bench, { work, settings }: Here): Promise<number> {
  const { topic, messages, outputs } = work;
  const { brokers, redis } = cluster.servers;
  await cluster.empty(outputs);
  await using bus = await connect({ KAFKA_BROKERS: brokers, REDIS_URL: redis, LOG_LEVEL: "warn", ...settings });
  const first = Math.round(messages * WARM_UP);
  const all = Promise.withResolvers<void>();
  let count = 0;
  let used = process.cpuUsage();
  const callback = (message: object) => {
    count++;
    if (count === first) used = process.cpuUsage();
    if (count === messages) all.resolve();
    return callbacks["add a field"](message);
  };
  await using stop = await new MetroStop(topic, callback, { bus, group: newGroup() }).start();
  const failed = stop.failed.then((error): never => {
    throw error;
  });
  await Promise.race([all.promise, failed]);
  const { user, system } = process.cpuUsage(used);
  return (messages - first) / ((user + system) / 1e6);
}
