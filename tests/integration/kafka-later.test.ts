import { connect } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { eventually, everything, unique } from "../support/probe.ts";
import { json } from "../support/line.ts";
import { start } from "../support/program.ts";

const MESSAGES = 400;

/** Every fourth message fails in its first two visits. */
const program = (topic: string, delays: readonly string[]) => `
  import { MetroStop } from "metrobus";
  const callback = ({ n }, { attempt }) => {
    if (n % 4 === 0 && attempt < 3) throw new Error("not yet");
    return { n, attempt };
  };
  const retries = { attempts: 1, later: ${JSON.stringify(delays)} };
  await new MetroStop("${topic}", callback, { delivery: "exactly-once", breaker: false, retries }).run();`;

describe.skipIf(!inject("kafka"))("messages that are put off on Kafka (needs Docker)", () => {
  test("come through exactly once each, although their process is killed while they are parked", async () => {
    const [topic, next] = [unique("Topic"), unique("Next")];
    const settings = {
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: inject("kafka")!,
      METROBUS_STATS: "memory",
      METROBUS_CREATE_TOPICS: "true",
      METROBUS_SESSION_TIMEOUT: "6s",
      LOG_LEVEL: "warn",
    } as const;
    await using metro = await connect(settings);
    await metro.create([topic, next]);
    for (let n = 0; n < MESSAGES; n++) await metro.send(topic, { n }, { route: [next], key: `key ${n % 40}` });
    const command = [process.execPath, "--input-type=module", "-e", program(topic, ["2s", "3s"])];
    const came = async () => (await everything(metro.bus, next)).map((record) => json(record));

    const first = start(command, settings);
    await eventually(async () => (await came()).length >= (MESSAGES * 3) / 4);
    first.process.kill("SIGKILL");
    await first.ended;
    const second = start(command, settings);
    await eventually(async () => (await came()).length >= MESSAGES);
    second.process.kill("SIGTERM");
    expect(await second.ended).toMatchObject({ code: 0 });

    const payloads = (await came()).map(({ payload }) => payload as { n: number; attempt: number });
    const expected = Array.from({ length: MESSAGES }, (_, n) => ({ n, attempt: n % 4 === 0 ? 3 : 1 }));
    expect(payloads.toSorted((a, b) => a.n - b.n)).toEqual(expected);
    expect((await everything(metro.bus, next)).flatMap(({ headers }) => headers)).toEqual([]);
  });
});
