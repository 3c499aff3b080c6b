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

  /** Both topics are there. Throws UnknownTopic, ConfigError. */
  async function prepare(): Promise<void> {
    if (!bus.features.exactlyOnce)
      throw new ConfigError([
        `dead letters can't be acted on over the bus "${bus.name}": each is to be acted on once, and that needs a bus with delivery exactly-once, kafka or memory`,
      ]);
    if (!(await bus.knows(topic))) throw new UnknownTopic(topic);
    // One partition: what is done stands in one order, and a letter's records never move to another one.
    if (createTopics || bus.name === "memory") await bus.create([{ topic: actions, partitions: 1, keepForever: true }]);
    else if (!(await bus.knows(actions)))
      throw new ConfigError([
        `topic "${actions}" does not exist, in which it is kept what is done with dead letters: create it with one partition, kept for ever (retention.ms=-1, retention.bytes=-1), or set METROBUS_CREATE_TOPICS=true`,
      ]);
  }

  return { join, prepare };
}
