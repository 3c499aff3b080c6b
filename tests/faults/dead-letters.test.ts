import { join } from "node:path";
import { connect, deadLetters, type Outgoing } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { start, type Running } from "../support/program.ts";
import { everything, unique } from "../support/probe.ts";

const brokers = inject("kafka");
const LETTERS = 1_000;
const AT_STEP = join(import.meta.dirname, "fixtures/at-step.ts");

const headers = (facts: Record<string, string>) =>
  Object.entries(facts).map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)] as const);

function letter(topic: string, stop: string, n: number): Outgoing {
  const failure = { stop, topic: stop, partition: "0", offset: String(n), reason: "Error", error: "Error" };
  return { topic, key: Buffer.from(String(n)), value: Buffer.from(String(n)), headers: headers(failure) };
}

describe.skipIf(!brokers)("dead letters on Kafka (needs Docker)", () => {
  test.for(["before", "after"] as const)(
    "two ask for the same 1,000 letters, both are killed %s a transaction's end: each letter is sent once, and marked once",
    async (moment) => {
      const [topic, stop] = [unique("Letters"), unique("Stop")];
      const settings = {
        METROBUS_BUS: "kafka",
        KAFKA_BROKERS: brokers!,
        METROBUS_STATS: "memory",
        METROBUS_DEAD_LETTER_TOPIC: topic,
        METROBUS_CREATE_TOPICS: "true",
        METROBUS_SESSION_TIMEOUT: "1s",
      } as const;
      await using metro = await connect({ ...settings, LOG_LEVEL: "silent" });
      await metro.bus.create([{ topic, keepForever: true }, { topic: stop }]);
      await metro.bus.send(Array.from({ length: LETTERS }, (_, n) => letter(topic, stop, n)));

      const replay = (flags: readonly string[], env: Record<string, string>): Running => {
        const node = [process.execPath, "--import", AT_STEP];
        const command = [...node, "runtime/cli.ts", "errors", "replay", "--all", "--yes", ...flags];
        return start(command, { ...settings, ...env });
      };
      const killed = { FAULT_STEP: `EndTxn ${moment} 3 SIGKILL` };
      const both = ["ann", "joe"].map((by) => replay(["--rate", "100", "--by", by], killed));
      for (const { code, stdout } of await Promise.all(both.map(({ ended }) => ended))) {
        expect(code).toBeNull();
        expect(stdout).toContain(`step EndTxn ${moment}`);
      }
      const letters = deadLetters(metro);
      const handled = await Array.fromAsync(letters.list({ state: "replayed" }));
      expect(handled.length).toBeGreaterThan(0);
      expect(handled.length).toBeLessThan(LETTERS);

      const { code, stderr } = await replay([], {}).ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
      const sent = await everything(metro.bus, stop);
      const numbers = sent.map(({ value }) => Number(value)).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: LETTERS }, (_, n) => n));
      const done = (await Array.fromAsync(letters.audit())).filter(({ outcome }) => outcome === "done");
      expect(done.length).toBe(LETTERS);
      expect(new Set(done.map(({ letter: id }) => id)).size).toBe(LETTERS);
      const states = await Array.fromAsync(letters.list());
      expect(states.every(({ state }) => state === "replayed")).toBe(true);
    },
  );
});
