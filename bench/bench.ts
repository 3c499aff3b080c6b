/**
 * One hop on a real Kafka: metrobus beside what people write and beside the most that its client gives, in turn, in the
 * same run. `--only <name>` runs one measure of measures/, `--json` prints one JSON object on the last line, `--write`
 * writes docs/performance.md.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "metrobus";
import { openCluster, startServers, type Servers } from "./cluster.ts";
import type { Bench, Measure } from "./measure.ts";
import { accounts } from "./measures/accounts.ts";
import { books } from "./measures/books.ts";
import { concurrency } from "./measures/concurrency.ts";
import { deadLetters } from "./measures/dead-letters.ts";
import { largeMessages } from "./measures/large-messages.ts";
import { latency } from "./measures/latency.ts";
import { manyStops } from "./measures/many-stops.ts";
import { partitions } from "./measures/partitions.ts";
import { pass } from "./measures/pass.ts";
import { processes } from "./measures/processes.ts";
import { rates } from "./measures/rates.ts";
import { routes } from "./measures/routes.ts";
import { schema } from "./measures/schema.ts";
import { start } from "./measures/start.ts";
import { page, text, type Report } from "./report.ts";
import { tracing } from "./measures/tracing.ts";
import { trips } from "./measures/trips.ts";
import { viewers } from "./measures/viewers.ts";
import { buildStreams } from "./streams.ts";
import { variants, type Name, type Variant } from "./variants.ts";

const MEASURES: readonly Measure[] = [
  rates,
  latency,
  books,
  schema,
  tracing,
  trips,
  pass,
  processes,
  partitions,
  routes,
  concurrency,
  start,
  manyStops,
  largeMessages,
  deadLetters,
  viewers,
  accounts,
];

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    messages: { type: "string", default: "400000" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "5" },
  },
});
const [messages, seconds, rounds] = [Number(values.messages), Number(values.seconds), Number(values.rounds)];
const chosen = MEASURES.filter(({ name }) => values.only?.includes(name) ?? true);
const unknown = values.only?.find((wanted) => !MEASURES.some(({ name }) => name === wanted));
if (unknown !== undefined)
  throw new Error(`there is no measure ${unknown}: choose of ${MEASURES.map(({ name }) => name).join(", ")}`);
if (values.write && values.only) throw new Error("docs/performance.md is written of all measures: leave out --only");

const say = (line: string) => void process.stderr.write(`${line}\n`);

/** What this machine can't run, or this version of metrobus, is left out, and said. */
async function present({ brokers, redis }: Servers): Promise<readonly Name[]> {
  await using bus = await connect({ KAFKA_BROKERS: brokers, REDIS_URL: redis, LOG_LEVEL: "silent" });
  const noStreams = buildStreams();
  if (noStreams) say(`Kafka Streams is left out: ${noStreams}`);
  if (!bus.bus.features.exactlyOnce) say("metrobus exactly-once is left out: this version has none on Kafka");
  return (Object.keys(variants) as Name[]).filter((name) => {
    const { java }: Variant = variants[name];
    return !(java && noStreams) && (name !== "exactlyOnce" || bus.bus.features.exactlyOnce);
  });
}

async function measure(): Promise<Report> {
  const begun = performance.now();
  await using servers = await startServers();
  await using cluster = await openCluster(servers);
  const bench: Bench = { cluster, messages, seconds, rounds, names: await present(servers), say };
  const [rows, figures] = [[], {}] as [Report["rows"][number][], Report["figures"]];
  for (const each of chosen) {
    say(`— ${each.name}`);
    const found = await each.run(bench);
    rows.push(...found.rows);
    for (const [name, more] of Object.entries(found.figures ?? {}) as [Name, object][])
      figures[name] = { ...figures[name], ...more };
  }
  return { messages, rounds, minutes: (performance.now() - begun) / 60_000, rows, figures };
}

const report = await measure();
console.log(text(report));
if (values.write) await writeFile(join(import.meta.dirname, "../docs/performance.md"), page(report));
if (values.json) console.log(JSON.stringify(report));
