import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { waitFor } from "../patience.ts";
import type { Delivery } from "metrobus";
import { hadWorkInFlight, thaw, untilInFlight } from "./processes.ts";

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
    // A request may have been for a position behind markers alone.
    return [["SIGKILL", killedAt] as const, ["SIGSTOP", frozenAt] as const].map(([signal, strike]) => [
      `${signal} ${name}`,
      { run: (line: Line) => untilInFlight(line, signal, () => strike(line, step)), ...only(delivery) },
    ]);
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

async function killedAt(line: Line, step: string): Promise<boolean> {
  const victim = await reachStep(line, step, "SIGKILL");
  await victim.end("SIGKILL");
  line.killed();
  return await hadWorkInFlight(line, victim);
}

async function frozenAt(line: Line, step: string): Promise<boolean> {
  const victim = await reachStep(line, step, "SIGSTOP");
  const inFlight = await hadWorkInFlight(line, victim);
  await thaw(line, victim);
  // It finds out that it has lost its partitions, and is a member again.
  await victim.progress(1);
  const code = await victim.end("SIGTERM");
  if (code !== 0) throw new Error(`SIGTERM ended with ${code}: ${victim.describe()}`);
  return inFlight;
}
