import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { waitFor } from "../patience.ts";
import type { Delivery } from "metrobus";
import { ATTEMPTS, hadWorkInFlight, thaw } from "./processes.ts";

/** By delivery: a request, its moment, and what has happened by then. */
const STEPS = [
  ["after the callback", "Callback after"],
  ["after the send", "Produce after"],
  ["before the commit", "OffsetCommit before", "at-least-once"],
  ["before the commit", "EndTxn before", "exactly-once"],
  ["inside the transaction", "TxnOffsetCommit before", "exactly-once"],
] as const;

export const steps: Record<string, Fault> = Object.fromEntries(
  STEPS.flatMap(([where, step, delivery]) => {
    const name = delivery === "exactly-once" && where === "before the commit" ? `${where} of the transaction` : where;
    return [
      [`SIGKILL ${name}`, { run: (line: Line) => killedAt(line, step), ...only(delivery) }],
      [`SIGSTOP ${name}`, { run: (line: Line) => frozenAt(line, step), ...only(delivery) }],
    ];
  }),
);

function only(delivery?: Delivery) {
  return delivery ? { delivery } : {};
}

/** One more process, that sends itself the signal at the step. */
async function reachStep(line: Line, step: string, signal: "SIGKILL" | "SIGSTOP") {
  const { topic } = line.pick();
  const victim = line.start(topic, { FAULT_STEP: `${step} ${line.upTo(5)} ${signal}` });
  const missing = () => `the step "${step}" to be reached by ${victim.describe()}`;
  await waitFor(() => victim.atStep, 60, missing);
  line.hit();
  return victim;
}

/** Until one had messages that it had not committed: the request may have been for a position behind markers alone. */
async function killedAt(line: Line, step: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const victim = await reachStep(line, step, "SIGKILL");
    await victim.end("SIGKILL");
    line.killed();
    if (await hadWorkInFlight(line, victim)) return;
    if (attempt >= ATTEMPTS) throw new Error(`nothing was in flight of ${victim.describe()}, the ${ATTEMPTS}th`);
  }
}

async function frozenAt(line: Line, step: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const victim = await reachStep(line, step, "SIGSTOP");
    const inFlight = await hadWorkInFlight(line, victim);
    await thaw(line, victim);
    // It finds out that it has lost its partitions, and is a member again.
    await victim.progress(1);
    const code = await victim.end("SIGTERM");
    if (code !== 0) throw new Error(`SIGTERM ended with ${code}: ${victim.describe()}`);
    if (inFlight) return;
    if (attempt >= ATTEMPTS) throw new Error(`nothing was in flight of ${victim.describe()}, the ${ATTEMPTS}th`);
  }
}
