import type { Cluster } from "./cluster.ts";
import { counts } from "./books.ts";
import type { Entry } from "./ledger.ts";

/** As long as the last record of a topic may be away; the program can't tell that it has come to the end. */
const QUIET_MS = 8_000;

/** What Kafka's own consumer finds in a topic, with `read_committed`, where the ledger has found something else. */
export async function differences(cluster: Cluster, topic: string, entries: readonly Entry[]): Promise<string[]> {
  const which = ["--topic", topic, "--from-beginning", "--isolation-level", "read_committed"];
  const printed = await cluster.tool("kafka-console-consumer.sh", [...which, "--timeout-ms", String(QUIET_MS)]);
  const theirs = Array.from(printed.matchAll(/"n": ?(\d+)/g), ([, digits]) => ({ n: Number(digits) }));
  const [here, there] = [counts(entries), counts(theirs)];
  const numbers = [...new Set([...here.keys(), ...there.keys()])].filter((n) => here.get(n) !== there.get(n));
  return numbers.length === 0
    ? []
    : [`${topic}: Kafka's own consumer finds ${theirs.length} records, we ${entries.length}; of ${numbers[0]} first`];
}
