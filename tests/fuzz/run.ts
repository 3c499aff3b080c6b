/**
 * `npm run fuzz -- --records 1000000`: hostile records through the decoder and running stops, and a thousandth of them
 * through a process on a real Kafka, with each delivery. `--seed <n>` repeats a run, `--from <n>` begins at one of its
 * records, `--no-kafka` leaves Kafka out.
 */
import { parseArgs } from "node:util";
import { startKafka } from "../support/kafka.ts";
import { fuzz, type FuzzReport } from "./fuzz.ts";
import { ANY_TIME, fuzzKafka } from "./kafka.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    records: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    from: { type: "string", default: "0" },
    kafka: { type: "boolean", default: true },
  },
});
const [records, seed, from] = [Number(values.records), Number(values.seed), Number(values.from)];
/** Of the memory after the first tenth, so much more may be there at the end. */
const MOST_GROWTH_MB = 32;
const TELL_EVERY = 20;
const say = (line: string) => void process.stderr.write(`${line}\n`);

function told({ records: done, outcomes, slowest, peakMB, heapMB, handles }: FuzzReport): string {
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`);
  return [
    `${done} records: ${counts.join(", ")}`,
    `slowest: record ${slowest.n}, ${slowest.ms.toFixed(0)} ms; memory at most ${peakMB.toFixed(0)} MB, heap ${heapMB.at(-1)?.toFixed(0)} MB, handles ${handles.at(-1)}`,
  ].join("\n  ");
}

function leaks({ heapMB, handles }: FuzzReport): string[] {
  const grown = (values: readonly number[]) => values.at(-1)! - values[Math.floor(values.length / 10)]!;
  const [heap, open] = [grown(heapMB), grown(handles)];
  return [
    ...(heap > MOST_GROWTH_MB ? [`the heap has grown by ${heap.toFixed(0)} MB`] : []),
    ...(open > 2 ? [`${open} handles more are open`] : []),
  ];
}

say(`seed ${seed}`);
let chunks = 0;
const onProgress = (report: FuzzReport) => void (++chunks % TELL_EVERY === 0 && say(told(report)));
const report = await fuzz({ seed, from, records, onProgress });
console.log(`seed ${seed}: ${told(report)}`);
const faults = leaks(report);
if (values.kafka) {
  const kafka = await startKafka({ env: ANY_TIME });
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void kafka.stop().finally(() => process.exit(130)));
  try {
    for (const delivery of ["at-least-once", "exactly-once"] as const) {
      const some = Math.max(100, Math.round(records / 1_000));
      const { outcomes, peakMB } = await fuzzKafka({ brokers: kafka.brokers, seed, records: some, delivery });
      console.log(`Kafka, ${delivery}: ${JSON.stringify(outcomes)}, memory at most ${peakMB.toFixed(0)} MB`);
    }
  } finally {
    await kafka.stop();
  }
}
for (const fault of faults) console.log(`✗ ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
