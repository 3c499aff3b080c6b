import { connect, deadLetters, MetroStop } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { hasTerminal, metrobus, start } from "../support/program.ts";
import { eventually, everything, message, unique } from "../support/probe.ts";

describe.skipIf(!inject("kafka"))("metrobus errors on Kafka (needs Docker)", () => {
  test("what failed is listed, shown, replayed edited, discarded, and told in the audit", async () => {
    const [topic, charge] = [unique("Letters"), unique("Charge")];
    const settings = {
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: inject("kafka")!,
      METROBUS_STATS: "memory",
      METROBUS_DEAD_LETTER_TOPIC: topic,
      METROBUS_PARTITIONS: "1",
      METROBUS_CREATE_TOPICS: "true",
    } as const;
    const errors = (...args: string[]) => metrobus(["errors", ...args], settings);
    await using metro = await connect({ ...settings, LOG_LEVEL: "silent" });
    const charged: number[] = [];
    const callback = ({ cents }: { cents: number }) => {
      if (cents < 0) throw new RangeError(`${cents} cents \u001B[2J`);
      charged.push(cents);
      return { cents };
    };
    const options = { bus: metro, breaker: false, retries: { attempts: 1 } } as const;
    await using stop = await new MetroStop(charge, callback, options).start();
    expect(stop.topic).toBe(charge);
    for (const cents of [-1, -2, -3]) await metro.send(charge, { cents }, { key: `k${cents}`, route: [] });
    await eventually(async () => (await everything(metro.bus, topic)).length === 3);

    const json = await errors("list", "--stop", charge, "--json");
    const lines = json.stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { id: "0-2", key: "k-3", reason: "RangeError", state: "open" },
      { id: "0-1", key: "k-2", message: "-2 cents \u001B[2J" },
      { id: "0-0", key: "k-1", stop: charge, from: { topic: charge, partition: "0", offset: "0" } },
    ]);
    expect(json.stdout).not.toContain("\u001B");

    const rerouted = await errors("replay", "0-1", "--route", `${charge}, no topic`);
    expect(rerouted).toMatchObject({ code: 1, stdout: expect.stringContaining('"no topic" in the route is no') });
    const replayed = await errors("replay", "0-0", "--payload", '{"cents":1}', "--route", charge, "--by", "ann");
    expect(replayed).toMatchObject({ code: 0, stdout: "replayed 1 of 1\n" });
    // Its route leads to the same stop once more.
    await eventually(() => charged.length === 2);
    expect(charged).toEqual([1, 1]);
    expect(await errors("discard", "--all", "--why", "test orders", "--by", "joe")).toMatchObject({
      code: 0,
      stdout: "discarded 2 of 2\n",
    });
    expect(await errors("replay", "0-2", "0-77")).toMatchObject({
      code: 1,
      stdout: "replayed 0 of 2 · 1 had been handled before · 1 failed\n  0-77: there is no such letter\n",
    });
    const table = await errors("list", "--limit", "0");
    expect(table.stdout).toMatch(
      /^LETTER .*\n0-0 .* replayed .*\n0-1 .* discarded .*-2 cents \\u\{1b\}\[2J\n0-2 .*\n$/,
    );
    const shown = await errors("show", "0-0");
    expect(shown.stdout).toMatch(/\n {2}.* 0-0 {2}replay to \S+, edited by ann: done\n$/);
    const audit = await errors("audit", "--json");
    const actions = audit.stdout.trimEnd().split("\n");
    expect(
      actions.map((line) => JSON.parse(line) as { outcome: string }).filter(({ outcome }) => outcome === "done"),
    ).toMatchObject([
      { letter: "0-0", action: "replay", by: "ann", edited: true },
      { letter: "0-1", action: "discard", by: "joe", why: "test orders" },
      { letter: "0-2", action: "discard" },
    ]);
  });

  test.skipIf(!hasTerminal())("on a terminal it asks before it acts on many", async () => {
    const topic = unique("Letters");
    const settings = {
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: inject("kafka")!,
      METROBUS_STATS: "memory",
      METROBUS_DEAD_LETTER_TOPIC: topic,
      METROBUS_CREATE_TOPICS: "true",
    } as const;
    await using metro = await connect({ ...settings, LOG_LEVEL: "silent" });
    await metro.bus.create([{ topic, keepForever: true }]);
    await metro.bus.send([message(topic, null, "1"), message(topic, null, "2")]);
    const command = `exec ${process.execPath} runtime/cli.ts errors discard --all --why "a test"`;
    const answering = async (answer: string) => {
      const running = start(["script", "-qec", command, "/dev/null"], settings);
      await running.printed(/discard 2 letters\? \[y\/N\] /);
      running.process.stdin!.write(`${answer}\n`);
      const { code, stdout } = await running.ended;
      const states = (await Array.fromAsync(deadLetters(metro).list())).map(({ state }) => state);
      return { code, states, done: stdout.includes("discarded 2 of 2") };
    };
    expect(await answering("")).toEqual({ code: 0, states: ["open", "open"], done: false });
    expect(await answering("y")).toEqual({ code: 0, states: ["discarded", "discarded"], done: true });
  });

  test("where topics are not created by themselves, the one that is missing is named with the remedy", async () => {
    const topic = unique("Letters");
    const settings = {
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: inject("kafka")!,
      METROBUS_STATS: "memory",
      METROBUS_DEAD_LETTER_TOPIC: topic,
    } as const;
    const listed = await metrobus(["errors", "list"], settings);
    expect(listed.code).toBe(1);
    expect(listed.stderr).toContain(`topic "${topic}" does not exist`);
    await using metro = await connect({ ...settings, LOG_LEVEL: "silent" });
    await metro.bus.create([{ topic, partitions: 1 }]);
    await metro.bus.send([{ topic, key: null, value: Buffer.from("x"), headers: [] }]);
    const discarded = await metrobus(["errors", "discard", "0-0", "--why", "x"], settings);
    expect(discarded.code).toBe(2);
    expect(discarded.stderr).toContain(`topic "${topic}.actions" does not exist`);
    expect(discarded.stderr).toContain("create it with one partition, kept for ever (retention.ms=-1");
  });
});
