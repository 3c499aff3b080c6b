import type { Delivery } from "metrobus";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { faults, type Fault } from "./faults.ts";
import { killAll } from "./process.ts";
import { DELIVERIES, metrobus } from "./subjects.ts";
import { told, trial } from "./trial.ts";

/** `npm test` has a short set; with CI=true every fault comes, three to a line. More of them: `npm run faults`. */
const CI = process.env["CI"] === "true";
const seed = Number(process.env["FAULT_SEED"] ?? Date.now() % 1_000_000);
/** Of three brokers what is at home there only; the rest on one. */
const short = {
  1: [
    ["SIGKILL", "SIGSTOP before the commit", "SIGSTOP before the commit of the transaction", "broker killed"],
    ["answers dropped after the broker wrote", "Redis killed", "dead-letter topic missing"],
  ],
  3: [["leaders changed", "coordinators moved"]],
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
      const verdict = await trial({ ...setting, messages: CI ? 10_000 : 5_000, seconds: 8 });
      console.log(`FAULT_SEED=${seed}: ${told(verdict)}`);
      expect(verdict.broken).toEqual([]);
    },
  );
});

function setOf(size: 1 | 3, delivery: Delivery): string[][] {
  const fits = (fault: Fault) => (fault.brokers ?? 1) === size && (fault.delivery ?? delivery) === delivery;
  if (!CI) return short[size].map((names) => names.filter((name) => (faults[name]!.delivery ?? delivery) === delivery));
  const names = Object.keys(faults).filter((name) => fits(faults[name]!) && !faults[name]!.missing?.());
  return Array.from({ length: Math.ceil(names.length / AT_ONCE) }, (_, at) =>
    names.slice(at * AT_ONCE, (at + 1) * AT_ONCE),
  );
}
