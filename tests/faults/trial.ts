import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Books } from "./books.ts";
import type { Cluster } from "./cluster.ts";
import { backwards } from "./commits.ts";
import type { Fault } from "./faults.ts";
import { differences } from "./second-reader.ts";
import { PARTITIONS, startLine, type Line } from "./line.ts";
import type { Subject } from "./subjects.ts";

/** Under way of a partition in a trial; the limit is 10,000 records, and bytes (runtime/buses/kafka/lane.ts), but with a fault it comes to no more than this. */
const IN_FLIGHT = 3_000;
/** A process writes its counts every 250 ms; so many messages can't be more, even on a busy machine. */
const UNFLUSHED_S = 3;

export interface TrialSetting {
  readonly cluster: Cluster;
  readonly subject: Subject;
  readonly faults: readonly (readonly [name: string, fault: Fault])[];
  readonly seed: number;
  readonly messages: number;
  readonly seconds: number;
  /** Have Kafka's own consumer read the end too: it takes a while. */
  readonly secondReader?: boolean;
}

export interface Verdict {
  readonly subject: string;
  readonly faults: readonly string[];
  readonly seed: number;
  readonly sent: number;
  readonly lost: number;
  readonly twice: number;
  /** null: messages without a key have no order. */
  readonly disordered: number | null;
  /** Partitions where messages wait and nothing moves. */
  readonly stuck: number;
  /** At least once: how many may come twice after so many disturbances. */
  readonly atMostTwice: number;
  /** Promises that were not kept, each with what is known of it. */
  readonly broken: readonly string[];
}

/** Messages through three stops, the faults one after the other while they travel, and then the books. */
export async function trial(setting: TrialSetting): Promise<Verdict> {
  const { cluster, subject, faults, seed, messages, seconds, secondReader } = setting;
  const random = xoroshiro128plus(seed);
  const instances = Math.min(...faults.map(([, fault]) => fault.instances ?? 2));
  const line = await startLine({ cluster, subject, random, messages, seconds, instances });
  const broken: string[] = [];
  try {
    await line.recovered();
    for (const [name, fault] of faults) {
      try {
        await fault.run(line);
        await line.recovered();
      } catch (error) {
        // The books are still of interest.
        broken.push(`${name}: ${String(error)}`);
      }
    }
    const stuck = await line.arrived();
    const badEnds = await line.end();
    const books = await line.books();
    const { hits } = line.count();
    const atMostTwice = hits * PARTITIONS * IN_FLIGHT;
    if (subject.delivery) {
      broken.push(...stuck.map((lane) => `stuck: ${lane}`), ...badEnds, ...faultsOf(line, books, atMostTwice));
      broken.push(...(await backwards(cluster, line.stops)).map((step) => `a position went back: ${step}`));
      const end = line.ends[0]!;
      if (secondReader) broken.push(...(await differences(cluster, end, line.ledger.entries(end))));
      if (line.facts.counted) broken.push(...(await miscounted(line, messages / seconds)));
    }
    return {
      subject: subject.name,
      faults: faults.map(([name]) => name),
      seed,
      sent: books.sent,
      lost: books.lost.filter((n) => !line.removed.has(n)).length,
      twice: books.twice,
      disordered: line.facts.ordered ? books.disordered.length : null,
      stuck: stuck.length,
      atMostTwice,
      broken,
    };
  } finally {
    await line.close();
  }
}

/** A verdict in a line. */
export function told({ sent, lost, twice, atMostTwice, disordered, stuck }: Verdict): string {
  return `${sent} messages: ${lost} lost, ${twice} twice (at least once: at most ${atMostTwice}), ${disordered ?? "–"} out of order, ${stuck} stuck`;
}

/** Which of the promises the books do not show. */
function faultsOf(line: Line, books: Books, atMostTwice: number): string[] {
  const { subject, bad, removed, facts, crashes } = line;
  const lost = books.lost.filter((n) => !removed.has(n));
  const dead = [...books.dead].filter((n) => !bad.has(n));
  const most = subject.delivery === "exactly-once" ? 0 : atMostTwice;
  const some = (numbers: readonly number[]) => `${numbers.length}, such as ${numbers.slice(0, 5).join(", ")}`;
  return [
    lost.length > 0 ? `lost: ${some(lost)}` : "",
    books.twice > most ? `twice: ${books.twice}, at most ${most}` : "",
    facts.ordered && books.disordered.length > 0 ? `out of order: ${some(books.disordered)}` : "",
    books.invented.some((n) => !removed.has(n)) ? `never sent: ${some(books.invented)}` : "",
    dead.length > 0 ? `dead letters of good messages: ${some(dead)}` : "",
    ...crashes,
  ].filter(Boolean);
}

/** Counts are the truth; short by what a killed process had not written, or by commits whose answers were lost. */
async function miscounted(line: Line, perSecond: number): Promise<string[]> {
  const { counter } = await line.metro.stats.read();
  const { kills, unanswered } = line.count();
  return line.stops.flatMap((topic) => {
    const truth = line.ledger.entries(topic).length;
    const counted = counter[topic] ?? 0;
    const short = Math.ceil(kills * perSecond * UNFLUSHED_S) + unanswered * PARTITIONS * IN_FLIGHT;
    return counted > truth || counted < truth - short
      ? [`counter of ${topic}: ${counted} of ${truth}, may be short by ${short}`]
      : [];
  });
}
