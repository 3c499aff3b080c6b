import { switched } from "../cluster.ts";
import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { rest } from "../patience.ts";

type Toxic = readonly [type: "latency" | "bandwidth" | "timeout", way: "upstream" | "downstream", attributes: object];

export const network: Record<string, Fault> = {
  "connections cut": { run: cut, peers: true },
  "answers dropped after the broker wrote": { run: dropped, peers: true },
  "latency 500 ms": { run: (line) => poisoned(line, [["latency", "downstream", { latency: 500 }]], 10) },
  "50 KB/s": {
    run: (line) =>
      poisoned(
        line,
        (["upstream", "downstream"] as const).map((way) => ["bandwidth", way, { rate: 50 }]),
        10,
      ),
  },
};

async function cut(line: Line): Promise<void> {
  for (let times = 0; times < 3; times++) {
    line.hit(line.stops.length);
    line.unanswered();
    await Promise.all(line.cluster.proxies.map((proxy) => switched(proxy, false)));
    await rest(line.upTo(5) * 200);
    await Promise.all(line.cluster.proxies.map((proxy) => switched(proxy, true)));
    await line.recovered();
  }
}

/** Requests reach the broker, nothing comes back, and a second later the connection ends. */
async function dropped(line: Line): Promise<void> {
  const between = line.route.slice(1);
  const written = async () => {
    const bounds = await line.cluster.admin((admin) =>
      Promise.all(between.map((topic) => admin.fetchTopicOffsets(topic))),
    );
    return bounds.flat().reduce((sum, { high }) => sum + Number(high), 0);
  };
  let unanswered = 0;
  for (let times = 0; times < 3; times++) {
    const before = await written();
    await poisoned(line, [["timeout", "downstream", { timeout: 1_000 }]], 3);
    unanswered += (await written()) - before;
    await line.recovered();
  }
  if (unanswered === 0) throw new Error("nothing was written whose answer was dropped");
}

async function poisoned(line: Line, toxics: readonly Toxic[], seconds: number): Promise<void> {
  line.hit(line.stops.length);
  line.unanswered();
  const made = await Promise.all(
    line.cluster.proxies.flatMap((proxy) =>
      toxics.map(([type, stream, attributes]) =>
        proxy.addToxic({ name: `${type} ${stream}`, type, stream, attributes, toxicity: 1 }),
      ),
    ),
  );
  await rest(seconds * 1_000);
  await Promise.all(made.map((toxic) => toxic.remove()));
}
