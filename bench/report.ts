import { availableParallelism } from "node:os";
import { MESSAGE_BYTES, PARTITIONS } from "./message.ts";

export interface Report {
  readonly messages: number;
  readonly rounds: number;
  /** Of messages per second: the median of the rounds' ratios. */
  readonly ratios: {
    /** metrobus over what people write with kafkajs. */
    readonly overEachMessage: number;
    /** metrobus over kafkajs batch by batch. */
    readonly overCeiling: number;
  };
  /** The share of metrobus's busy time that goes into counting and logging. */
  readonly countingAndLogging: number;
  readonly variants: readonly {
    readonly name: string;
    readonly messagesPerSecond: number;
    readonly cpuSecondsPerMillion: number;
    /** The most of the process's memory that was ever resident. */
    readonly memoryMB: number;
    /** Milliseconds, at 1,000 messages a second. */
    readonly p50: number;
    readonly p99: number;
  }[];
  /** What bench/accounts-load.ts prints. */
  readonly accounts: { readonly accounts: number; readonly loadMs: number; readonly peakRssMb: number };
}

const round = (number: number) => Math.round(number).toLocaleString("en");

/** A Markdown table, a line a variant. */
export function table({ variants }: Report): string {
  const [base] = variants;
  const lines = variants.map(({ name, messagesPerSecond, cpuSecondsPerMillion, memoryMB, p50, p99 }) =>
    [
      name,
      round(messagesPerSecond),
      (messagesPerSecond / base!.messagesPerSecond).toFixed(1),
      cpuSecondsPerMillion.toFixed(1),
      round(memoryMB),
      `${p50} / ${p99}`,
    ].join(" | "),
  );
  const head = [
    "one hop, one process | messages/s | × first | CPU-s per million | peak MB | p50 / p99 ms at 1,000/s",
    "--- | --: | --: | --: | --: | --:",
  ];
  return [...head, ...lines].map((line) => `| ${line} |`).join("\n");
}

/** docs/performance.md. */
export function page(report: Report): string {
  const { ratios, countingAndLogging, accounts, messages, rounds } = report;
  return `# How fast it is

Written by \`npm run bench -- --write\`, which needs Docker. Ratios travel to other machines, absolute figures don't.

Measured is one hop on one Kafka broker: read a record of ${MESSAGE_BYTES} bytes from a topic of ${PARTITIONS} partitions, parse it, add a
field, take the next topic off its route, write it there, commit. Broker, bench and one process that makes the hop share
${availableParallelism()} cores. ${round(messages)} messages lie ready; each variant gets them ${rounds} times, in turn (\`eachMessage\` as many as it makes in
the time allowed), as a new process each time. Figures are medians of the rounds, and memory is the process's peak.

${table(report)}

- \`eachMessage\` + \`send\` is what one writes first: a message at a time, each send awaited.
- \`eachBatch\` + \`sendBatch\` is all that the client gives when batches are handled one after the other and each commit is
  awaited, without any of metrobus's care: no retries, no time limits, no dead letters, no check of the next topic.
- metrobus is ${ratios.overEachMessage.toFixed(1)} × the first and ${ratios.overCeiling.toFixed(2)} × the second (medians of the rounds' ratios), with every option at its default, counts going to Redis and logs to
  stderr: that takes ${(countingAndLogging * 100).toFixed(1)} % of the process's busy time, by Node's profiler.
- Work on the next messages goes on while the last ones are sent and committed, and a commit takes a broker 5 ms: hence
  the difference in latency, which is from the broker's append of the input to its append of the output.
- contactpoint loads its ${round(accounts.accounts)} accounts in ${round(accounts.loadMs)} ms; the process's memory then peaked at ${round(accounts.peakRssMb)} MB
  (\`node bench/accounts-load.ts\`).
`;
}
