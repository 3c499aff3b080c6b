import { availableParallelism } from "node:os";
import type { Figures, Row } from "./measure.ts";
import { variants, type Name } from "./variants.ts";
import { MESSAGE_BYTES, PARTITIONS } from "./workload.ts";

export interface Report {
  readonly messages: number;
  readonly rounds: number;
  /** How long all took. */
  readonly minutes: number;
  readonly rows: readonly Row[];
  readonly figures: Partial<Record<Name, Partial<Figures>>>;
}

const round = (number: number) => Math.round(number).toLocaleString("en");
const short = (number: number) => (number >= 100 ? round(number) : number.toPrecision(number >= 10 ? 3 : 2));
const markdown = (lines: readonly (readonly string[])[]) => lines.map((line) => `| ${line.join(" | ")} |`).join("\n");

/** A Markdown table, a line a variant. */
function variantTable(figures: Report["figures"]): string {
  const base = figures.eachMessage?.messagesPerSecond;
  const lines = (Object.entries(figures) as [Name, Partial<Figures>][]).map(([name, found]) => {
    const { messagesPerSecond: rate, cpuSecondsPerMillion: cpu, memoryMB, p50, p99 } = found;
    return [
      variants[name].name,
      rate === undefined ? "" : round(rate),
      rate === undefined || base === undefined ? "" : short(rate / base),
      cpu === undefined ? "" : short(cpu),
      memoryMB === undefined ? "" : round(memoryMB),
      p50 === undefined || p99 === undefined ? "" : `${p50} / ${p99}`,
    ];
  });
  const head = [
    "one hop, one process",
    "messages/s",
    "× first",
    "CPU-s per million",
    "peak MB",
    "p50 / p99 ms at 1,000/s",
  ];
  return markdown([head, ["---", ...head.slice(1).map(() => "--:")], ...lines]);
}

/** A Markdown table, a line a finding, with its target and whether it was met. */
function findingTable(rows: readonly Row[]): string {
  const lines = rows.map(({ what, unit, seen, rounds, target }) => [
    what,
    `${short(seen)} ${unit}`,
    rounds.length > 1 ? rounds.map(short).join(" ") : "",
    target ? `${"atLeast" in target ? "≥" : "≤"} ${short(Object.values(target)[0]!)} ${unit}` : "",
    target ? (isMet(seen, target) ? "met" : "**missed**") : "",
  ]);
  const head = ["measured", "seen", "each round", "target", ""];
  return markdown([head, ["---", "--:", "---", "--:", "---"], ...lines]);
}

const isMet = (seen: number, target: NonNullable<Row["target"]>): boolean =>
  "atLeast" in target ? seen >= target.atLeast : seen <= target.atMost;

/** Both tables, without those that have no lines. */
export function text({ figures, rows }: Report): string {
  const tables = [
    Object.keys(figures).length > 0 ? variantTable(figures) : "",
    rows.length > 0 ? findingTable(rows) : "",
  ];
  return tables.filter(Boolean).join("\n\n");
}

/** docs/performance.md. */
export function page(report: Report): string {
  const { figures, rows, messages, rounds, minutes } = report;
  return `# How fast it is

Written by \`npm run bench -- --write\`, which needs Docker, and Maven with a JDK for Kafka Streams (without them it is
left out); it took ${round(minutes)} minutes. Ratios travel to other machines, absolute figures don't.

Measured is one hop on one Kafka broker: read a record of ${MESSAGE_BYTES} bytes from a topic of ${PARTITIONS} partitions, parse it, add a
field, take the next topic off its route, write it there with acks of all replicas, commit. Broker, bench and one process that
makes the hop share ${availableParallelism()} cores. ${round(messages)} messages lie ready; each variant gets them ${rounds} times, in turn (those that take a message at
a time as many as they make in the time allowed), as a new process each time. Figures are medians of the rounds.

${variantTable(figures)}

- CPU time is the process's own, its warm-up included; memory is its peak (resident).
- Latency is from the broker's append of the input to the moment the output can be read: its append, or in transactions the end
  of its transaction and of those begun before it. A variant that makes hardly more than 1,000 messages a second has a queue that grows: its
  latency then says that it can't keep up, and not how long a message takes it.
- \`eachMessage\` + \`send\` is what one writes first: a message at a time, each send awaited. NestJS is as its documentation
  has it.
- \`eachBatch\` + \`sendBatch\` is batch by batch, without any of metrobus's care: no retries, no time limits, no dead letters, no
  check of the next topic. Where its commits are not awaited it is the best loop that the client allows.
- Transactions by hand have a producer per input partition, at most 1,000 messages each, and retry after 5 ms.
- Kafka Streams is 4.1 with Jackson, every setting at its default, also the JVM's heap; once with the 256 MB that
  one sets in a small container.
- metrobus has every option at its default, counts going to Redis and logs to stderr.

## Ratios and targets

Ratios are of one run, each round by itself, and their median; without a target a thing is only priced.

${findingTable(rows)}

A measure by itself: \`npm run bench -- --only rates\` (the names are those of the files in \`bench/measures/\`).
`;
}
