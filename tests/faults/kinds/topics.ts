import type { Outgoing } from "metrobus";
import type { Fault } from "../faults.ts";
import { numbered, PARTITIONS, type Line } from "../line.ts";
import { waitFor } from "../patience.ts";
import type { StopProcess } from "../process.ts";

export const topics: Record<string, Fault> = {
  "dead-letter topic missing": { run: (line) => noLetters(line, remove, restore) },
  "dead-letter topic not writable": { run: (line) => noLetters(line, forbid, allow) },
  "next topic missing": { run: nextMissing },
  "next topic deleted under way": { run: nextDeleted },
  "a topic gains partitions": { run: morePartitions },
  "records removed by retention": { run: retention },
};

type Change = (line: Line) => Promise<unknown>;

const deleteTopic = ({ cluster }: Line, topic: string) =>
  cluster.admin((admin) => admin.deleteTopics({ topics: [topic] }));

async function remove(line: Line): Promise<void> {
  await line.ledger.read([line.letters]);
  await deleteTopic(line, line.letters);
  line.ledger.renewed(line.letters);
}
const restore = (line: Line) => line.metro.create([line.letters]);

/** It takes no letter; the marker that ends a transaction, 78 bytes, has to fit, or Kafka itself can end none. */
const forbid = (line: Line) => setMaxBytes(line, "100");
const allow = (line: Line) => setMaxBytes(line, "10000000");

async function setMaxBytes({ cluster, letters }: Line, value: string): Promise<void> {
  const change = ["--alter", "--entity-type", "topics", "--entity-name", letters];
  await cluster.tool("kafka-configs.sh", [...change, "--add-config", `max.message.bytes=${value}`]);
}

/** Its partition waits, and says so; it goes on when the letter can be written. */
async function noLetters(line: Line, away: Change, back: Change): Promise<void> {
  const [first] = line.stops as [string];
  await away(line);
  const before = new Map(line.mates(first).map((process) => [process, troubles(process)]));
  line.mischief((n, message) => (n % 100 === 0 ? spoilt(line, n, message) : message));
  const told = () => line.mates(first).some((process) => troubles(process) > (before.get(process) ?? 0));
  await waitFor(told, 60, () => `a process to tell that a dead letter can't be written\n${line.watch.describe()}`);
  line.mischief((_, message) => message);
  await notReady(line);
  await back(line);
}

/** It is alive, and not ready, with the reason. */
async function notReady({ mates, stops }: Line): Promise<void> {
  const answers = (path: "/readyz" | "/healthz") =>
    Promise.all(mates(stops[0]!).map((process) => process.health(path)));
  const told = async () =>
    (await answers("/readyz")).some(
      ({ status, text }) => status === 503 && text.includes("a dead letter can't be written"),
    );
  await waitFor(told, 60, () => "a process to be not ready for its dead letter");
  const unhealthy = (await answers("/healthz")).filter(({ status }) => status !== 200);
  if (unhealthy.length > 0) throw new Error(`/healthz answers ${unhealthy[0]!.status}: ${unhealthy[0]!.text}`);
}

const troubles = ({ log }: StopProcess): number =>
  log.filter(({ msg }) => msg.startsWith("a dead letter can't be written")).length;

function spoilt(line: Line, n: number, message: Outgoing): Outgoing {
  line.bad.add(n);
  return { ...message, value: Buffer.from(`{"payload":{"n":${n}}`) };
}

async function nextMissing(line: Line): Promise<void> {
  const nowhere = `Nowhere-${line.letters}`;
  line.mischief((n, message) => {
    if (n % 100 !== 0) return message;
    line.bad.add(n);
    return { ...message, value: numbered([line.route[0]!, line.route[1]!, nowhere], n).value };
  });
  await line.mates(line.stops[2]!)[0]!.progress(Math.max(200, line.perSecond * 3));
  line.mischief((_, message) => message);
}

/** Some messages end in a topic of their own, which is deleted, with what it has, while none is on its way there; and made again later. */
async function nextDeleted(line: Line): Promise<void> {
  const [first, second] = line.stops as [string, string, string];
  const side = `Side-${line.letters}`;
  line.ends.push(side);
  await line.metro.create([side]);
  const sent = new Set<number>();
  const sideways = (n: number, message: Outgoing) => {
    if (n % 10 !== 0) return message;
    line.bad.add(n);
    sent.add(n);
    return { ...message, value: numbered([first, second, side], n).value };
  };
  const more = () => line.mates(second)[0]!.progress(Math.max(200, line.perSecond));
  line.mischief(sideways);
  await more();
  line.mischief((_, message) => message);
  await waitFor(
    () => allThere(line, side, sent),
    60,
    () => `all messages to come to ${side}\n${line.watch.describe()}`,
  );
  line.hit();
  await deleteTopic(line, side);
  line.ledger.renewed(side);
  line.mischief(sideways);
  await more();
  await line.metro.create([side]);
  await more();
  line.mischief((_, message) => message);
}

async function allThere({ ledger }: Line, topic: string, sent: ReadonlySet<number>): Promise<boolean> {
  await ledger.read([topic]);
  return sent.isSubsetOf(new Set(ledger.entries(topic).map(({ n }) => n)));
}

/** Order is kept between changes of a topic's number of partitions, not across one. */
async function morePartitions(line: Line): Promise<void> {
  const [first, second] = line.stops as [string, string, string];
  line.facts.ordered = false;
  line.hit(3);
  const count = line.watch.lanes(second).length + 2;
  await line.cluster.admin((admin) => admin.createPartitions({ topicPartitions: [{ topic: second, count }] }));
  // Processes that begin now see the new partitions; the others do so in a few minutes.
  const old = [...line.mates(first)];
  await Promise.all(old.map(() => line.start(first).progress(1)));
  for (const process of old) await process.end("SIGTERM");
  const used = () =>
    line.watch.lanes(second).filter(({ lane, position }) => Number(lane) >= PARTITIONS && position > 0n);
  await waitFor(
    () => used().length > 0,
    60,
    () => `messages in the new partitions of ${second}\n${line.watch.describe()}`,
  );
}

const UNREAD = 1_000;

/** Records go while nobody reads them; who comes back tells how many. */
async function retention(line: Line): Promise<void> {
  const { watch } = line;
  const topic = line.stops[0]!;
  const readers = [...line.mates(topic)];
  const written = () => watch.lanes(topic).reduce((sum, { end }) => sum + Number(end), 0);
  // What waits may be with its readers already: nothing of that could be removed before they have it.
  await waitFor(
    () => watch.lag(topic) < UNREAD,
    60,
    () => `${topic} to be nearly done:\n${watch.describe()}`,
  );
  line.hit();
  line.facts.counted = false;
  await frozen(readers, async () => {
    const before = written();
    await waitFor(
      () => written() > before + UNREAD,
      60,
      () => `records that nobody has read:\n${watch.describe()}`,
    );
    await line.ledger.read([topic]);
    await removeRecords(line, topic);
  });
  const told = () =>
    readers.some(({ log }) => log.some(({ msg }) => msg.startsWith("records were removed by retention")));
  await waitFor(told, 60, () => `a process to tell of the gap:\n${readers.map((each) => each.describe()).join("\n")}`);
}

/** All that the ledger knows; what was not done of it is no loss of metrobus's. */
async function removeRecords({ metro, ledger, cluster, removed }: Line, topic: string): Promise<void> {
  const positions = new Map((await metro.state(topic)).map(({ lane, position }) => [lane, Number(position)]));
  const cut = new Map<number, number>();
  for (const { n, partition, offset } of ledger.entries(topic)) {
    cut.set(partition, offset + 1);
    if (offset >= positions.get(String(partition))!) removed.add(n);
  }
  const partitions = Array.from(cut, ([partition, offset]) => ({ partition, offset: String(offset) }));
  await cluster.admin(async (admin) => {
    // kafkajs deletes from topics only that it has looked at.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions });
  });
}

async function frozen(processes: readonly StopProcess[], meanwhile: () => Promise<void>): Promise<void> {
  await Promise.all(processes.map((process) => process.signal("SIGSTOP")));
  try {
    await meanwhile();
  } finally {
    await Promise.all(processes.map((process) => process.signal("SIGCONT")));
  }
}
