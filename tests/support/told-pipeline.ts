import { Kafka, logLevel } from "kafkajs";
import type { StopContext } from "metrobus";
import type { StopAnswer } from "../../web-status/stop/answer.ts";
import type { StopsAnswer } from "../../web-status/stop/list.ts";
import { operated, type Operated } from "./operated.ts";
import { eventually } from "./probe.ts";

/** A pipeline with whatever can be seen of one, and what the test itself counted while it ran. */
export interface ToldPipeline extends Operated {
  readonly names: Record<"source" | "check" | "log" | "held" | "slow", string>;
  /** Stop → what the callback did → how often. */
  readonly tally: Record<string, Record<string, number>>;
  /** Of the messages that lie before the stop that does not get on, by partition. */
  readonly waiting: readonly number[];
}

export const MESSAGES = 200;
export const SECRETS = { id: "secret-id", key: "secret-key", field: "secret-field", error: "secret-error" };
const WAITING = [9, 3];
const OLD_MS = 600_000;

interface Message {
  readonly n: number;
  readonly card: { readonly number: string };
}

/** Source → Check → Log, or Held, which is paused; and Slow, which does not get on. */
export async function toldPipeline(servers: Parameters<typeof operated>[0]): Promise<ToldPipeline> {
  const scene = await operated(servers, {
    METROBUS_TRIPS: "payload",
    METROBUS_REDACT: "card.number",
    METROBUS_VERSION: "1.2.3",
  });
  const { line, topic, ask } = scene;
  const names = {
    source: topic("Source"),
    check: topic("Check"),
    log: topic("Log"),
    held: topic("Held"),
    slow: topic("Slow"),
  };
  const tally: ToldPipeline["tally"] = {};
  const note = (stop: string, what: string) => {
    const of = (tally[stop] ??= {});
    of[what] = (of[what] ?? 0) + 1;
  };
  const passing = (stop: string, what: string) => (message: Message) => (note(stop, what), message);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();

  await line.stop(names.source, passing(names.source, "forwarded"));
  await line.stop(
    names.check,
    (message: Message, context: StopContext) => {
      const { n } = message;
      if (n % 5 === 1) return (note(names.check, "too old"), context.drop("too old"));
      if (n % 5 === 2) return (note(names.check, "not wanted"), context.drop("not wanted"));
      if (n % 7 === 3) {
        note(names.check, "dead");
        throw new TypeError(`${SECRETS.error}: no account ${n}`);
      }
      note(names.check, n % 4 === 0 ? "held" : "log");
      return message;
    },
    { breaker: false },
  );
  await line.stop(names.log, passing(names.log, "arrived"));
  await line.stop(names.held, passing(names.held, "arrived"));
  await line.stop(names.slow, (message: Message) => released.then(() => message), { timeLimit: 600_000 });
  await ask(`/api/v1/stops/${names.held}/pause`, {});
  await eventually(async () => {
    const { instances } = await ask<StopAnswer>(`/api/v1/stops/${names.held}`);
    return instances.some(({ paused }) => paused);
  });
  await sendOld(servers.brokers, names.slow);
  await Promise.all(
    Array.from({ length: MESSAGES }, (_, n) =>
      line.metro.send(
        names.source,
        { n, card: { number: SECRETS.field } },
        { key: `${SECRETS.key}-${n}`, route: [names.check, n % 4 === 0 ? names.held : names.log] },
      ),
    ),
  );
  await eventually(async () => {
    const { stops } = await ask<StopsAnswer>("/api/v1/stops");
    const done = (stop: string) => stops.find((each) => each.stop === stop)?.processed ?? 0;
    return done(names.check) === MESSAGES && done(names.log) === tally[names.check]?.["log"];
  });
  return {
    ...scene,
    names,
    tally,
    waiting: WAITING,
    async [Symbol.asyncDispose]() {
      release();
      await scene[Symbol.asyncDispose]();
    },
  };
}

/** Messages that have been waiting for ten minutes. */
async function sendOld(brokers: string, topic: string): Promise<void> {
  const producer = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const value = JSON.stringify({ header: { route: [] }, payload: { n: 0, card: { number: "0" } } });
  const timestamp = String(Date.now() - OLD_MS);
  const messages = WAITING.flatMap((many, partition) =>
    Array.from({ length: many }, () => ({ partition, value, timestamp })),
  );
  await producer.send({ topic, messages });
  await producer.disconnect();
}
