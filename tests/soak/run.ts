/**
 * `npm run soak -- --minutes 60`: a steady load, half of the most it can do, on a process with a busdriver and a stop, on
 * real Kafka and Redis; for so long with each variant, one after the other (`--variant exactly-once`; `--rate` messages a
 * second). Every minute memory, handles and lag; at the end whether any of them grows, and whether all was counted.
 */
import { parseArgs } from "node:util";
import { startKafka } from "../support/kafka.ts";
import { startRedis } from "../support/redis.ts";
import { soak } from "./soak.ts";
import { VARIANTS, type Variant } from "./variants.ts";
import { trends, verdict, type Sample } from "./verdict.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    rate: { type: "string", default: "0" },
    variant: { type: "string", multiple: true, default: VARIANTS.map(({ name }) => name) },
  },
});
const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
const chosen = values.variant.map((name) => {
  const variant = VARIANTS.find((each) => each.name === name);
  if (!variant)
    throw new Error(`there is no variant ${name}: choose of ${VARIANTS.map((each) => each.name).join(", ")}`);
  return variant;
});

/** What was done is soon removed: an hour of load would fill a disk. */
const SMALL_LOGS = {
  KAFKA_LOG_SEGMENT_BYTES: String(32 * 1024 * 1024),
  KAFKA_LOG_RETENTION_BYTES: String(128 * 1024 * 1024),
  KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS: "10000",
};
const MEGABYTES = (value: number) => `${value.toFixed(0)} MB`;

function told({ minutes: at, rssMB, heapMB, externalMB, handles, lag }: Sample): string {
  const open = Object.entries(handles).map(([kind, count]) => `${kind} ${count}`);
  return `  ${at.toFixed(1)} min: rss ${MEGABYTES(rssMB)}, heap ${heapMB.toFixed(1)} MB, buffers ${externalMB.toFixed(1)} MB, lag ${lag}, ${open.join(", ")}`;
}

let stopServers = () => Promise.resolve();

async function run(variant: Variant): Promise<number> {
  const [kafka, redis] = await Promise.all([startKafka({ env: SMALL_LOGS }), startRedis()]);
  stopServers = async () => void (await Promise.all([kafka.stop(), redis.remove()]));
  try {
    console.log(`${variant.name}:`);
    const onSample = (sample: Sample) => console.log(told(sample));
    const soaked = await soak({ brokers: kafka.brokers, redis: redis.url, variant, minutes, rate, onSample });
    const faults = [...verdict(soaked.samples, soaked.rate), ...soaked.miscounted];
    const grown = Object.entries(trends(soaked.samples)).map(
      ([what, { mean, growth, give }]) =>
        `${what} ${MEGABYTES(mean)}, ${growth.toFixed(1)} ± ${give.toFixed(1)} % an hour`,
    );
    console.log(`  ${soaked.sent} messages, ${soaked.rate} a second; ${grown.join("; ")}`);
    for (const fault of faults) console.log(`  ✗ ${fault}`);
    if (faults.length === 0) console.log("  ✓ flat, and all counted");
    return faults.length;
  } finally {
    await stopServers();
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stopServers().finally(() => process.exit(130)));
}
let faults = 0;
for (const variant of chosen) faults += await run(variant);
process.exitCode = faults > 0 ? 1 : 0;
