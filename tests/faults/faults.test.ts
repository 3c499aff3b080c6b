import type { Delivery } from "metrobus";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { faults, type Fault } from "./faults.ts";
import { killAll } from "./process.ts";
import { DELIVERIES, metrobus, mixed } from "./subjects.ts";
import { told, trial, type Verdict } from "./trial.ts";

/** `npm test` has a short set; with CI=true every fault comes once, three to a line. More of them: `npm run faults`. */
const CI = process.env["CI"] === "true";
const seed = Number(process.env["FAULT_SEED"] ?? Date.now() % 1_000_000);
/** One line for each delivery; of three brokers what is at home there only. */
const short: Readonly<Record<1 | 3, Readonly<Record<Delivery, readonly string[]>>>> = {
  1: {
    "at-least-once": ["SIGKILL", "answers dropped after the broker wrote", "dead-letter topic missing"],
    "exactly-once": ["SIGSTOP before the commit of the transaction", "broker killed", "Redis killed"],
  },
  3: { "at-least-once": ["coordinators moved"], "exactly-once": ["leaders changed"] },
};
const AT_ONCE = 3;

describe.skipIf(!inject("kafka")).each([1, 3] as const)("on %i brokers (needs Docker)", (size) => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster(size);
  });
  afterAll(async () => {
    await killAll();
    await cluster[Symbol.asyncDispose]();
  });

  test.each(DELIVERIES.flatMap((delivery) => setOf(size, delivery).map((names) => [delivery, names] as const)))(
    "%s: %s",
    async (delivery, names) => {
      const chosen = names.map((name) => [name, faults[name]!] as const);
      const setting = { cluster, subject: metrobus(delivery), faults: chosen, seed };
      const verdict = await trial({ ...setting, messages: CI ? 10_000 : 4_000, seconds: 6 });
      judge(verdict);
    },
  );

  test.runIf(CI && size === 1)("stops of both deliveries in one route", async () => {
    const chosen = (["SIGKILL", "broker killed"] as const).map((name) => [name, faults[name]!] as const);
    const verdict = await trial({ cluster, subject: mixed, faults: chosen, seed, messages: 10_000, seconds: 6 });
    judge(verdict);
  });
});

/** Prints it at once: the run may be cut off before its end. */
function judge(verdict: Verdict): void {
  console.log([`FAULT_SEED=${seed}: ${told(verdict)}`, ...verdict.broken].join("\n  ✗ "));
  expect(verdict.broken).toEqual([]);
}

function setOf(size: 1 | 3, delivery: Delivery): (readonly string[])[] {
  if (!CI) return [short[size][delivery]];
  const names = Object.keys(faults).filter((name) => (faults[name]!.brokers ?? 1) === size && isHere(faults[name]!));
  // Each fault with one of the deliveries; with another seed with the other.
  const mine = names.filter((name, at) => (faults[name]!.delivery ?? DELIVERIES[(at + seed) % 2]) === delivery);
  const lines = Math.ceil(mine.length / AT_ONCE);
  return Array.from({ length: lines }, (_, at) => mine.slice(at * AT_ONCE, (at + 1) * AT_ONCE));
}

/** What is not, scripts/test.ts names. */
const isHere = ({ missing }: Fault): boolean => !missing?.();
