import { start } from "../../tests/support/program.ts";
import type { Cluster } from "../cluster.ts";
import { row, type Measure } from "../measure.ts";

const CHUNK = 1_000;
const TARGET = "Replayed";
/** A process tells the most of its memory that was ever resident, in KB, as its last word. */
const PEAK = `data:text/javascript,process.on("exit",()=>console.error("peak "+process.resourceUsage().maxRSS))`;

/** Memory must not grow with the number of dead letters: four times as many, listed and replayed. */
export const deadLetters: Measure = {
  name: "dead-letters",
  async run({ cluster, messages, say }) {
    const [few, many] = [messages / 4, messages];
    await cluster.create([TARGET], 4);
    const peaks = [await peaksOf(cluster, few), await peaksOf(cluster, many)] as const;
    say(JSON.stringify({ few, many, peaks }));
    const grown = (what: "list" | "replay") => [peaks[1][what] / peaks[0][what]];
    const words = `${many.toLocaleString("en")} dead letters`;
    return {
      rows: [
        row(`${words} listed: memory`, "MB", [peaks[1].list]),
        row(`${words} replayed: memory`, "MB", [peaks[1].replay]),
        row(`listing four times as many dead letters: memory`, "×", grown("list"), { atMost: 1.25 }),
        row(`replaying four times as many: memory`, "×", grown("replay"), { atMost: 1.25 }),
      ],
    };
  },
};

/** MB. */
async function peaksOf(cluster: Cluster, letters: number): Promise<{ list: number; replay: number }> {
  const topic = `Letters-${letters}`;
  await cluster.create([topic], 4);
  for (let from = 0; from < letters; from += CHUNK) {
    await cluster.producer.send({ topic, messages: Array.from({ length: CHUNK }, (_, at) => letter(from + at)) });
  }
  const settings = {
    METROBUS_BUS: "kafka",
    KAFKA_BROKERS: cluster.servers.brokers,
    METROBUS_STATS: "memory",
    METROBUS_DEAD_LETTER_TOPIC: topic,
    METROBUS_CREATE_TOPICS: "true",
  };
  const peak = async (...args: string[]) => {
    const command = `exec "$0" --import '${PEAK}' runtime/cli.ts errors ${args.join(" ")} > /dev/null`;
    const { code, stderr } = await start(["sh", "-c", command, process.execPath], settings).ended;
    const found = /^peak (\d+)$/m.exec(stderr)?.[1];
    if (code !== 0 || found === undefined)
      throw new Error(`metrobus errors ${args.join(" ")} ended with ${code}: ${stderr}`);
    return Number(found) / 1_000;
  };
  return { list: await peak("list", "--limit", "0", "--json"), replay: await peak("replay", "--all", "--yes") };
}

function letter(n: number) {
  const failure = {
    topic: TARGET,
    stop: TARGET,
    reason: "Error",
    error: "Error",
    stack: "    at somewhere\n".repeat(40),
  };
  const headers = Object.fromEntries(Object.entries(failure).map(([name, text]) => [`dead-letter.${name}`, text]));
  const value = `{"header":{"route":[],"id":"m${n}","historical_route":["${TARGET}"]},"payload":"${"x".repeat(300)}"}`;
  return { key: String(n), value, headers };
}
