import type { Outgoing } from "metrobus";
import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { waitFor } from "../patience.ts";

type Poison = (n: number, message: Outgoing) => Outgoing["value"];

const KINDS: readonly Poison[] = [
  (n, message) => payload(message, `{"n":${n},"do":"throw"}`),
  (n, message) => payload(message, `{"n":${n},"do":"grow"}`),
  (n) => Buffer.from(`{"payload":{"n":${n}},"header":`),
  (n) => Buffer.from(`{"payload":{"n":${n}},"header":7}`),
  (n) => Buffer.concat([Buffer.from(`{"payload":{"n":${n},"x":"`), Buffer.from([0xff, 0xfe, 0x22, 0x7d, 0x7d])]),
];

export const messages: Record<string, Fault> = {
  "1 % poison, malformed, oversize": { run: poison, peers: true },
};

/** Each becomes a dead letter; the good ones do not notice. */
async function poison(line: Line): Promise<void> {
  line.mischief((n, message) => {
    if (n % 100 !== 0) return message;
    line.bad.add(n);
    return { ...message, value: KINDS[(n / 100) % KINDS.length]!(n, message) };
  });
  const enough = 10 * line.perSecond + line.watch.processed();
  await waitFor(
    () => line.watch.processed() > enough,
    90,
    () => "ten seconds of poison to pass",
  );
  line.mischief((_, message) => message);
}

function payload({ value }: Outgoing, json: string): Buffer {
  return Buffer.from(String(value).replace(/"payload":\{.*\}/, `"payload":${json}}`));
}
