import type { Logger } from "pino";
import type { Bus, Subscription } from "../bus.ts";
import { ConfigError, UnknownTopic } from "../errors.ts";
import { startWorker } from "./worker.ts";

export interface LetterWorker extends AsyncDisposable {
  /** Resolves, with the reason, when it can't go on. */
  readonly failed: Promise<Error>;
}

export interface CarryingSetting {
  readonly bus: Bus;
  readonly topic: string;
  readonly actions: string;
  readonly createTopics: boolean;
  readonly shutdownTimeoutMs: number;
  readonly log: Logger;
}

/** The one worker of a process, which lasts as long as anybody wants it. */
export function carrying({ bus, topic, actions, createTopics, shutdownTimeoutMs, log }: CarryingSetting) {
  let working: { readonly worker: Promise<Subscription>; users: number } | undefined;

  async function join(): Promise<LetterWorker> {
    await prepare();
    const mine = (working ??= { worker: startWorker({ bus, topic: actions, log }), users: 0 });
    mine.users++;
    const forget = () => {
      if (working === mine) working = undefined;
    };
    const leave = async () => {
      if (--mine.users > 0) return;
      forget();
      await (await mine.worker).stop(Date.now() + shutdownTimeoutMs);
    };
    try {
      const { failed } = await mine.worker;
      void failed.then(forget);
      return { failed, [Symbol.asyncDispose]: leave };
    } catch (error) {
      forget();
      throw error;
    }
  }

  const creates = createTopics || bus.name === "memory";

  /** Letters can be acted on. Creates nothing: where topics are created, that of the actions need not be there yet. Throws UnknownTopic, ConfigError. */
  async function check(): Promise<void> {
    if (!bus.features.exactlyOnce)
      throw new ConfigError([
        `dead letters can't be acted on over the bus "${bus.name}": each is to be acted on once, and that needs a bus with delivery exactly-once, kafka or memory`,
      ]);
    if (!(await bus.knows(topic))) throw new UnknownTopic(topic);
    if (!creates && !(await bus.knows(actions)))
      throw new ConfigError([
        `topic "${actions}" does not exist, in which it is kept what is done with dead letters: create it with one partition, kept for ever (retention.ms=-1, retention.bytes=-1), or set METROBUS_CREATE_TOPICS=true for the process that acts on letters, be it the status page or metrobus errors`,
      ]);
  }

  /** Both topics are there. Throws as `check`. */
  async function prepare(): Promise<void> {
    await check();
    // One partition: what is done stands in one order, and a letter's records never move to another one.
    if (creates) await bus.create([{ topic: actions, partitions: 1, keepForever: true }]);
  }

  return { join, check, prepare };
}
