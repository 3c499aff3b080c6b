import { uniformInt } from "pure-rand/distribution/uniformInt";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import { randomBytes } from "node:crypto";
import { connect, type LaneState, type MetroBus, type Outgoing } from "metrobus";
import { booksOf, KEYS, type Books } from "./books.ts";
import type { Cluster } from "./cluster.ts";
import { openLedger } from "./ledger.ts";
import { rest, waitFor } from "./patience.ts";
import { startProcess, type StopProcess } from "./process.ts";
import type { Subject } from "./subjects.ts";

export const PARTITIONS = 4;
/** So far at most the load runs ahead of the first stop. */
const LEAD = 4_000;
/** Nothing of any partition moves for so long, and messages wait: it is stuck. Peers are given up sooner. */
const STANDSTILL_S = { metrobus: 60, peer: 30 };

export interface LineSetting {
  readonly cluster: Cluster;
  readonly subject: Subject;
  readonly random: RandomGenerator;
  /** At least so many; they go on for as long as faults happen. */
  readonly messages: number;
  /** How long sending them takes at least, so that faults come while messages do. */
  readonly seconds: number;
  readonly instances?: number;
}

/** Changes a message before it is sent, or leaves it. */
type Mischief = (n: number, message: Outgoing) => Outgoing;
export type Line = Awaited<ReturnType<typeof startLine>>;

/** Three stops, several processes each, and numbered messages that travel through them to a topic that nobody reads. */
export async function startLine({ cluster, subject, random, seconds, instances = 2, ...setting }: LineSetting) {
  const unique = randomBytes(4).toString("hex");
  const route = ["A", "B", "C", "End"].map((name) => `${name}-${unique}`);
  const [stops, letters] = [route.slice(0, -1), `Letters-${unique}`];
  const rate = Math.min(setting.messages / seconds, subject.atMostPerSecond ?? Infinity);
  const messages = Math.round(rate * seconds);
  const patience = subject.delivery ? STANDSTILL_S.metrobus : STANDSTILL_S.peer;
  const metro = await connect({
    METROBUS_BUS: "kafka",
    KAFKA_BROKERS: cluster.direct,
    REDIS_URL: cluster.redis.url,
    METROBUS_PARTITIONS: String(PARTITIONS),
    METROBUS_REPLICATION: String(cluster.nodes.length),
    METROBUS_DEAD_LETTER_TOPIC: letters,
    LOG_LEVEL: "silent",
  });
  await metro.create([...route, letters]);

  const ledger = openLedger(cluster);
  const ends = [route.at(-1)!];
  /** Messages that may be dead letters, and those that were removed before they were done. */
  const [bad, removed] = [new Set<number>(), new Set<number>()];
  const all: StopProcess[] = [];
  const running = new Map<string, StopProcess[]>(stops.map((topic) => [topic, []]));
  const crashes: string[] = [];
  let [hits, kills, unanswered] = [0, 0, 0];
  let mischief: Mischief = (_, message) => message;
  let closing = false;
  const facts = { ordered: !subject.keyless, counted: true };

  function start(topic: string, env: Record<string, string> = {}): StopProcess {
    const program = subject.program(cluster, { topic, letters, workMs: rate > 1_500 ? 0 : 1 });
    const name = `${topic[0]} #${all.length + 1}`;
    const process = startProcess(topic, name, { ...program, env: { ...program.env, ...env } });
    all.push(process);
    running.get(topic)!.push(process);
    void process.ended.then((code) => ended(process, code));
    return process;
  }

  /** One that ends by itself is told of, and started again as whoever runs it would. */
  function ended(process: StopProcess, code: number | string): void {
    const mates = running.get(process.topic)!;
    if (mates.includes(process)) mates.splice(mates.indexOf(process), 1);
    if (process.wanted || process.atStep || closing) return;
    crashes.push(`ended by itself with ${code}: ${process.describe()}`);
    start(process.topic);
  }

  /** One of the processes, at random; the others of its stop go on. */
  function pick(topic = stops[uniformInt(random, 0, stops.length - 1)]!): StopProcess {
    const mates = running.get(topic)!;
    return mates[uniformInt(random, 0, mates.length - 1)]!;
  }

  const watch = watchPositions(metro, stops);
  for (const topic of stops) for (let at = 0; at < instances; at++) start(topic);
  await joined().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const load = startLoad();

  /** No message is sent before: instances that join are a fault by themselves. */
  async function joined(): Promise<void> {
    const groups = stops.map((topic) => `metrobus.${topic}`);
    const asMany = async () => {
      const found = await cluster.admin((admin) => admin.describeGroups(groups));
      return found.groups.every(({ state, members }) => state === "Stable" && members.length === instances);
    };
    const missing = () => `all processes to join:\n${all.map((process) => process.describe()).join("\n")}`;
    await waitFor(asMany, 120, missing);
  }

  /** Steady, for as long as faults happen: at least all messages, and more until it is to end. */
  function startLoad() {
    let [sent, ending, broken] = [0, false, false];
    const began = Date.now();
    const done = (async () => {
      while (!broken && !(ending && sent >= messages)) {
        const due = Math.floor(((Date.now() - began) / 1_000) * rate) - sent;
        const some = Math.min(due, 500, ending ? messages - sent : Infinity);
        if (some <= 0 || watch.lag(stops[0]!) > LEAD) await rest(20);
        else await send(Array.from({ length: some }, (_, at) => sent + at));
      }
    })();
    /** What fails to be sent is sent again: the ledger tells what lies in the topic, and how often. */
    async function send(numbers: readonly number[]): Promise<void> {
      const records = numbers.map((n) => mischief(n, numbered(route, n)));
      while (!broken && !(await metro.bus.send(records).then(...succeeded))) await rest(200);
      sent += numbers.length;
    }
    function end(how: { atOnce: boolean }): Promise<void> {
      ending = true;
      broken ||= how.atOnce;
      return done;
    }
    return { end };
  }

  /** Waits until all is sent and done; returns what is stuck. */
  async function arrived(): Promise<readonly string[]> {
    let allSent = false;
    void load.end({ atOnce: false }).then(() => (allSent = true));
    let [before, since] = ["", Date.now()];
    let isVisible = false;
    for (;;) {
      const now = await watch.look();
      const waiting = now
        .filter(({ position, end }) => position < end)
        .map(({ topic, lane, position, end }) => `${topic} ${lane}: ${end - position} wait`);
      const isDone = allSent && now.length > 0 && waiting.length === 0;
      const positions = now.map(({ position }) => position).join();
      // What had been hidden may have come to light since the positions were looked at.
      if (isDone && isVisible && positions === before) return [];
      const stuck = isDone ? await cluster.uncommitted([...route, ...ends.slice(1), letters]).catch(told) : waiting;
      isVisible = isDone && stuck.length === 0;
      if (positions !== before) [before, since] = [positions, Date.now()];
      if (Date.now() - since > patience * 1_000) return stuck;
      await rest(100);
    }
  }

  async function books(): Promise<Books> {
    await ledger.read([...route, ...ends.slice(1), letters]);
    return booksOf({
      first: ledger.entries(route[0]!),
      between: route.slice(1, -1).map(ledger.entries),
      ends: ends.map(ledger.entries),
      letters: ledger.entries(letters),
    });
  }

  /** Ends all processes in order; returns those that did not end so. */
  async function end(): Promise<readonly string[]> {
    closing = true;
    const open = [...running.values()].flat();
    const codes = await Promise.all(open.map(async (process) => [process, await process.end("SIGTERM")] as const));
    return codes.filter(([, code]) => code !== 0).map(([process, code]) => `SIGTERM: ${code}, ${process.describe()}`);
  }

  return {
    cluster,
    subject,
    metro,
    random,
    route,
    stops,
    letters,
    ends,
    ledger,
    watch,
    load,
    bad,
    removed,
    crashes,
    facts,
    all,
    start,
    pick,
    arrived,
    books,
    end,
    perSecond: rate,
    processes: () => [...running.values()].flat(),
    mates: (topic: string): readonly StopProcess[] => running.get(topic)!,
    /** So many times were all partitions of a stop disturbed. */
    hit: (times = 1) => void (hits += times),
    killed: () => void kills++,
    /** So many times may a commit of each stop have been carried out whose answer was lost. */
    unanswered: (times = 1) => void (unanswered += times),
    count: () => ({ hits, kills, unanswered }),
    mischief: (change: Mischief) => void (mischief = change),
    upTo: (most: number) => uniformInt(random, 1, most),
    /** Every process works on, as it has to within a minute of any fault. */
    async recovered(): Promise<void> {
      await Promise.all([...running.values()].flat().map((process) => worksOn(process)));
    },
    async close(): Promise<void> {
      await load.end({ atOnce: true });
      await close();
    },
  };

  async function close(): Promise<void> {
    closing = true;
    await watch.stop();
    await Promise.all(all.filter((process) => process.running).map((process) => process.end("SIGKILL")));
    await metro.close();
    // Disks are small, and trials are many.
    await cluster
      .admin((admin) => admin.deleteTopics({ topics: [...route, ...ends.slice(1), letters] }))
      .catch(() => 0);
  }

  async function worksOn(process: StopProcess): Promise<void> {
    const from = process.taken.length;
    const done = () => process.taken.length > from || !process.running;
    await waitFor(done, patience, () => `any progress of ${process.describe()}\n${watch.describe()}`);
  }
}

const told = (error: unknown): readonly string[] => [String(error)];
const succeeded = [() => true, () => false] as const;

interface Position extends LaneState {
  readonly topic: string;
}

/** Looks at every partition of the stops all the time. */
function watchPositions(metro: MetroBus, topics: readonly string[]) {
  const last = new Map<string, Position>();
  let on = true;

  async function look(): Promise<readonly Position[]> {
    try {
      const states = await Promise.all(topics.map((topic) => metro.state(topic)));
      const now = states.flatMap((lanes, at) => lanes.map((lane) => ({ ...lane, topic: topics[at]! })));
      now.forEach(note);
      return now;
    } catch {
      return [];
    }
  }

  function note(lane: Position): void {
    const place = `${lane.topic} ${lane.lane}`;
    const position = last.get(place)?.position ?? 0n;
    // Asked twice at once, the later answer may be the older one.
    last.set(place, position > lane.position ? { ...lane, position } : lane);
  }

  const looking = (async () => {
    while (on) {
      await look();
      await rest(200);
    }
  })();
  const lanes = (topic?: string) => [...last.values()].filter((lane) => !topic || lane.topic === topic);
  return {
    look,
    lanes,
    lag: (topic: string) => lanes(topic).reduce((sum, { position, end }) => sum + Number(end - position), 0),
    /** How many messages the first stop has done. */
    processed: () => lanes(topics[0]!).reduce((sum, { position }) => sum + Number(position), 0),
    describe: () =>
      lanes()
        .map(({ topic, lane, position, end }) => `${topic} ${lane}: at ${position} of ${end}`)
        .join("\n"),
    stop(): Promise<void> {
      on = false;
      return looking;
    },
  };
}

/** As any producer may write it: the header needs nothing but the stops ahead, next stop last. */
export function numbered(route: readonly string[], n: number): Outgoing {
  const [topic, ...ahead] = route;
  const header = { route: ahead.toReversed(), historical_route: [] };
  const value = JSON.stringify({ header, payload: { n } });
  return { topic: topic!, key: Buffer.from(`key ${n % KEYS}`), value: Buffer.from(value), headers: [] };
}
