/**
 * `npm run faults`: every fault alone, with each delivery and for the peers, then random sequences until the time is over
 * (none with `--minutes 0`).
 * `--together` has the faults of `--only`, by their full names and in that order, in one trial.
 * `--only <fault>` (part of its name), `--delivery <…>`, `--subject metrobus|peers`, `--seed <n>`, `--messages <n>`, `--minutes <n>`;
 * `--write` puts what was found into the table of docs/guarantees.md.
 */
import { parseArgs } from "node:util";
import type { Delivery } from "metrobus";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { startCluster, type Cluster } from "./cluster.ts";
import { faults, type Fault } from "./faults.ts";
import { killAll } from "./process.ts";
import { table, write, type Result } from "./report.ts";
import { DELIVERIES, metrobus, PEERS, type Subject } from "./subjects.ts";
import { told, trial } from "./trial.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    messages: { type: "string", default: "100000" },
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", multiple: true, default: [] },
    delivery: { type: "string", multiple: true, default: [...DELIVERIES] },
    subject: { type: "string", multiple: true, default: ["metrobus", "peers"] },
    together: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const [minutes, messages, seconds, seed] = [values.minutes, values.messages, values.seconds, values.seed].map(
  Number,
) as [number, number, number, number];
const until = Date.now() + minutes * 60_000;
const say = (line: string) => void process.stderr.write(`${line}\n`);

const chosen = Object.entries(faults).filter(
  ([name]) => values.only.length === 0 || values.only.some((part) => name.includes(part)),
);
if (chosen.length === 0)
  throw new Error(`no fault's name has ${values.only.join(" or ")} in it: ${Object.keys(faults).join(", ")}`);
const subjects = [
  ...(values.subject.includes("metrobus") ? values.delivery.map((delivery) => metrobus(delivery as Delivery)) : []),
  ...(values.subject.includes("peers") ? PEERS : []),
];
const fits = (fault: Fault, { delivery }: Subject): boolean =>
  delivery ? !fault.delivery || fault.delivery === delivery : fault.peers === true;

const results: Result[] = [];
let failed = 0;

async function run(cluster: Cluster, subject: Subject, which: readonly (readonly [string, Fault])[], ownSeed: number) {
  const names = which.map(([name]) => name);
  const began = Date.now();
  say(`${subject.name}: ${names.join(", ")} (seed ${ownSeed})`);
  try {
    const verdict = await trial({
      cluster,
      subject,
      faults: which,
      seed: ownSeed,
      messages,
      seconds,
      secondReader: subject.delivery === "exactly-once",
    });
    results.push({ subject: subject.name, faults: names, verdict });
    if (subject.delivery && verdict.broken.length > 0) failed++;
    say(`  ${told(verdict)}, ${Math.round((Date.now() - began) / 1_000)} s`);
    for (const line of verdict.broken) say(`  ✗ ${line}`);
  } catch (error) {
    if (subject.delivery) failed++;
    results.push({ subject: subject.name, faults: names, verdict: null });
    say(`  ✗ ${String(error)}`);
  }
}

/** Every chosen fault alone. */
async function alone(cluster: Cluster, size: 1 | 3): Promise<void> {
  for (const [name, fault] of chosen.filter(([, { brokers = 1 }]) => brokers === size)) {
    const missing = fault.missing?.();
    if (missing) {
      say(`${name}: NOT RUN, ${missing}`);
      if (process.env["CI"] === "true") failed++;
      continue;
    }
    for (const subject of subjects) if (fits(fault, subject)) await run(cluster, subject, [[name, fault]], seed);
  }
}

async function together(cluster: Cluster): Promise<void> {
  const which = values.only.map((name) => [name, faults[name]!] as const);
  for (const subject of subjects) await run(cluster, subject, which, seed);
}

/** Three faults at a time, from a seed of their own, until the time is over; two of each delivery at least. */
async function sequences(cluster: Cluster): Promise<void> {
  const ours = subjects.filter(({ delivery }) => delivery);
  for (let turn = 1; ours.length > 0 && (turn <= 2 * ours.length || Date.now() < until); turn++) {
    const random = xoroshiro128plus(seed + turn);
    const subject = ours[turn % ours.length]!;
    const pool = chosen.filter(([, fault]) => fits(fault, subject) && !fault.missing?.() && !fault.instances);
    const some = Array.from({ length: 3 }, () => pool[uniformInt(random, 0, pool.length - 1)]!);
    await run(cluster, subject, some, seed + turn);
  }
}

let open: Cluster | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    say(`${signal}: everything that was started is stopped`);
    void Promise.all([killAll(), open?.[Symbol.asyncDispose]()]).finally(() => process.exit(130));
  });
}

say(`seed ${seed}`);
for (const subject of subjects) await subject.prepare?.();
for (const size of [1, 3] as const) {
  const inSequence = size === 3 && values.only.length !== 1 && !values.together && minutes > 0;
  if (!inSequence && !chosen.some(([, { brokers = 1 }]) => brokers === size)) continue;
  if (values.together && size === 1 && chosen.some(([, { brokers }]) => brokers === 3)) continue;
  await using cluster = await startCluster(size);
  open = cluster;
  if (values.together) await together(cluster);
  else await alone(cluster, size);
  if (inSequence) await sequences(cluster);
}
console.log(table(results));
if (values.write) await write(results);
// What a fault has left of our own connections keeps nobody waiting.
process.exit(failed > 0 ? 1 : 0);
