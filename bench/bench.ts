/**
 * One hop on a real Kafka: metrobus beside what people write with kafkajs and beside the most that kafkajs gives, in
 * turn, in the same run. `--json` prints one JSON object on the last line; `--write` writes docs/performance.md.
 */
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openCluster, startServers } from "./cluster.ts";
import { countingAndLogging, latency, preload, throughput } from "./measure.ts";
import type { Latency, Throughput, Variant } from "./measure.ts";
import { page, table, type Report } from "./report.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    messages: { type: "string", default: "400000" },
    seconds: { type: "string", default: "15" },
    rounds: { type: "string", default: "5" },
  },
});
const [messages, seconds, rounds] = [Number(values.messages), Number(values.seconds), Number(values.rounds)];

const variants = {
  eachMessage: { name: "kafkajs `eachMessage` + `send`", file: "each-message.ts" },
  eachBatch: { name: "kafkajs `eachBatch` + `sendBatch`", file: "each-batch.ts" },
  metrobus: { name: "metrobus", file: "metrobus.ts" },
} satisfies Record<string, Variant>;
type Name = keyof typeof variants;
const names = Object.keys(variants) as Name[];

const say = (line: string) => void process.stderr.write(`${line}\n`);
const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

/** Each variant once a round, in an order that turns, so that none always comes after the same other one. */
async function inTurn<T>(times: number, run: (name: Name) => Promise<T>): Promise<Record<Name, T[]>> {
  const found: Record<Name, T[]> = { eachMessage: [], eachBatch: [], metrobus: [] };
  for (let round = 0; round < times; round++) {
    for (let at = 0; at < names.length; at++) {
      const name = names[(at + round) % names.length]!;
      const result = await run(name);
      found[name].push(result);
      say(`${round + 1}/${times} ${variants[name].name}: ${JSON.stringify(result)}`);
    }
  }
  return found;
}

function accountsLoad(): Report["accounts"] {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(import.meta.dirname, "accounts-load.ts")]);
  if (status !== 0) throw new Error(`bench/accounts-load.ts: ${String(stderr)}`);
  return JSON.parse(String(stdout).trimEnd().split("\n").at(-1)!) as Report["accounts"];
}

async function measure(): Promise<Report> {
  await using servers = await startServers();
  await using cluster = await openCluster(servers);
  await preload(cluster, messages);
  const rates = await inTurn(rounds, (name) => throughput(variants[name], cluster, messages, seconds));
  const delays = await inTurn(3, (name) => latency(variants[name], cluster, seconds));

  const each = (of: Name, what: keyof Throughput) => median(rates[of].map((result) => result[what]));
  const delay = (of: Name, what: keyof Latency) => median(delays[of].map((result) => result[what]));
  /** Of each round by itself, since a machine is not the same from minute to minute. */
  const over = (one: Name, other: Name) =>
    median(
      rates[one].map(({ messagesPerSecond }, round) => messagesPerSecond / rates[other][round]!.messagesPerSecond),
    );
  return {
    messages,
    rounds,
    ratios: {
      overEachMessage: over("metrobus", "eachMessage"),
      overCeiling: over("metrobus", "eachBatch"),
    },
    countingAndLogging: await countingAndLogging(variants.metrobus, cluster, messages),
    variants: names.map((name) => ({
      name: variants[name].name,
      messagesPerSecond: each(name, "messagesPerSecond"),
      cpuSecondsPerMillion: each(name, "cpuSecondsPerMillion"),
      memoryMB: each(name, "memoryMB"),
      p50: delay(name, "p50"),
      p99: delay(name, "p99"),
    })),
    accounts: accountsLoad(),
  };
}

const report = await measure();
console.log(table(report));
if (values.write) await writeFile(join(import.meta.dirname, "../docs/performance.md"), page(report));
if (values.json) console.log(JSON.stringify(report));
