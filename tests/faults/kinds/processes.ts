import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { waitFor } from "../patience.ts";
import type { StopProcess } from "../process.ts";

const ATTEMPTS = 10;

export const processes: Record<string, Fault> = {
  SIGKILL: { run: (line) => untilInFlight(line, "SIGKILL", () => ended(line, "SIGKILL")), peers: true },
  SIGTERM: { run: (line) => untilInFlight(line, "SIGTERM", () => ended(line, "SIGTERM")) },
  "SIGSTOP beyond the session time-out": {
    run: (line) => untilInFlight(line, "SIGSTOP", () => frozen(line)),
    peers: true,
  },
  "the only instance leaves, another comes": { run: replaced, instances: 1 },
  "instances join and leave": { run: comeAndGo },
};

/** Does it to processes until one had taken messages that it had not committed, which `strike` tells; of peers nobody knows. */
export async function untilInFlight(line: Line, what: string, strike: () => Promise<boolean>): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) if ((await strike()) || !line.subject.delivery) return;
  throw new Error(`${ATTEMPTS} times ${what}, and never with messages in flight`);
}

/** Another one takes its place each time. */
async function ended(line: Line, signal: "SIGKILL" | "SIGTERM"): Promise<boolean> {
  const victim = line.pick();
  await victim.progress(line.upTo(100));
  const code = await victim.end(signal);
  line.hit();
  if (signal === "SIGKILL") line.killed();
  const inFlight = signal === "SIGTERM" || (await hadWorkInFlight(line, victim));
  await line.start(victim.topic).progress(1);
  if (signal === "SIGTERM" && line.subject.delivery && code !== 0)
    throw new Error(`SIGTERM ended with ${code}: ${victim.describe()}`);
  return inFlight;
}

/** Its partitions are nobody's until its session is over, so what is committed now is what it had committed. */
export async function hadWorkInFlight({ metro }: Line, { topic, taken }: StopProcess): Promise<boolean> {
  const committed = new Map((await metro.state(topic)).map(({ lane, position }) => [lane, Number(position)]));
  return taken.slice(-10_000).some((place) => {
    const [lane, offset] = place.split(" ") as [string, string];
    return Number(offset) >= committed.get(lane)!;
  });
}

async function frozen(line: Line): Promise<boolean> {
  const victim = line.pick();
  await victim.progress(line.upTo(100));
  await victim.signal("SIGSTOP");
  line.hit();
  const inFlight = await hadWorkInFlight(line, victim);
  await thaw(line, victim);
  return inFlight;
}

/** Wakes a frozen process once others have done what it had. */
export async function thaw(line: Line, victim: StopProcess): Promise<void> {
  try {
    const { topic } = victim;
    const ends = new Map((await line.metro.state(topic)).map(({ lane, end }) => [lane, end]));
    const behind = () => line.watch.lanes(topic).filter(({ lane, position }) => position < ends.get(lane)!);
    const missing = () => `others to take over from ${victim.describe()}\n${line.watch.describe()}`;
    await waitFor(() => behind().length === 0, 90, missing);
  } finally {
    await victim.signal("SIGCONT");
  }
}

/** No hit is told of: who leaves alone, in order, has done all of its own, and nothing comes twice. */
async function replaced(line: Line): Promise<void> {
  for (const topic of line.stops) {
    const only = line.pick(topic);
    const code = await only.end("SIGTERM");
    if (code !== 0) throw new Error(`SIGTERM ended with ${code}: ${only.describe()}`);
    await line.start(topic).progress(1);
  }
}

async function comeAndGo(line: Line): Promise<void> {
  for (let times = 0; times < 2; times++) {
    const { topic } = line.pick();
    const guests = [line.start(topic), line.start(topic)];
    await Promise.all(guests.map((guest) => guest.progress(20)));
    for (const guest of guests) {
      line.hit();
      const code = await guest.end("SIGTERM");
      if (code !== 0 && line.subject.delivery) throw new Error(`leaving ended with ${code}: ${guest.describe()}`);
    }
  }
}
