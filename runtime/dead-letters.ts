import { randomUUID } from "node:crypto";
import type { Outgoing, Received, Subscription } from "./bus.ts";
import type { MetroBus } from "./connect.ts";
import { act, type ActOptions } from "./dead-letters/act.ts";
import { actionRecord, readAction, type Action } from "./dead-letters/actions.ts";
import { letterMatcher, type LetterFilter } from "./dead-letters/filter.ts";
import { letterId, readLetter, type Letter } from "./dead-letters/letter.ts";
import { replayOf, type ReplayChange } from "./dead-letters/replay.ts";
import type { ActionReport } from "./dead-letters/report.ts";
import { byIds, newestOf, oldestFirst, spansOf } from "./dead-letters/scan.ts";
import { isHandled, readStanding, Standing, type LetterState } from "./dead-letters/standing.ts";
import { startWorker } from "./dead-letters/worker.ts";
import { ConfigError, MetrobusError, UnknownTopic } from "./errors.ts";
import { actionsTopic } from "./route.ts";
import { whoAsks } from "./who-asks.ts";

export type { Action, ActionReport, ActOptions, Letter, LetterFilter, LetterState, ReplayChange };

/** What somebody asked for or what came of it, and when (epoch ms). */
export interface LoggedAction extends Action {
  readonly time: number;
}

/** The dead letters of a bus: what has failed, and what is done about it. All of it lies in the bus, nothing in this process. */
export interface DeadLetters {
  /** The letters that fit, oldest first, in constant memory. Those that come while it reads are not among them. Throws UnknownTopic, ConfigError. */
  list(filter?: LetterFilter): AsyncIterable<Letter>;
  /** The newest letters that fit, newest first, without reading the whole topic where that can be helped. */
  newest(limit: number, filter?: LetterFilter): Promise<Letter[]>;
  /** One letter by its id; null: there is none. */
  show(id: string): Promise<Letter | null>;
  /**
   * Sends letters again: those of a filter that are not handled, or those of `ids`. Resolves when each is sent, or it is known
   * why not: what can't be is told in the report. Requests are durable: should this process end, whoever works next
   * carries them out. A letter is acted on once, however many ask. Throws ConfigError, UnknownTopic, Unavailable.
   */
  replay(filter: LetterFilter, options?: ReplayChange & ActOptions): Promise<ActionReport>;
  /** Marks letters as done with, with a reason; as `replay`. They stay in their topic. */
  discard(filter: LetterFilter, options: ActOptions & { readonly reason: string }): Promise<ActionReport>;
  /** All that was ever asked for and done, of one letter or of all, oldest first. */
  audit(letter?: string): AsyncIterable<LoggedAction>;
  /** Carries out requests, those too that others have left behind, until it is disposed of. `replay` and `discard` do so while they last. */
  work(): Promise<LetterWorker>;
}

export interface LetterWorker extends AsyncDisposable {
  /** Resolves, with the reason, when it can't go on. */
  readonly failed: Promise<Error>;
}

/**
 * @example
 * await using bus = await connect();
 * const letters = deadLetters(bus);
 * for await (const { id, stop, reason } of letters.list({ stop: "Charge" })) console.log(id, stop, reason);
 * await letters.replay({ reason: "ECONNREFUSED" }, { rate: 50 });
 */
export function deadLetters({ bus, config, log }: MetroBus): DeadLetters {
  const topic = config.deadLetterTopic;
  const actions = actionsTopic(topic);
  let working: { readonly worker: Promise<Subscription>; users: number } | undefined;

  async function* list(filter: LetterFilter = {}): AsyncGenerator<Letter> {
    const fits = letterMatcher(filter);
    const spans = await spansOf(bus, topic, actions);
    const standing = await currentStanding();
    const records = filter.ids ? byIds(bus, topic, spans, filter.ids) : oldestFirst(bus, topic, spans);
    for await (const record of records) {
      const letter = letterOf(record, standing);
      if (fits(letter)) yield letter;
    }
  }

  async function newest(limit: number, filter: LetterFilter = {}): Promise<Letter[]> {
    const fits = letterMatcher(filter);
    const spans = await spansOf(bus, topic, actions);
    const standing = await currentStanding();
    const fitting = (record: Received) => {
      const letter = letterOf(record, standing);
      return fits(letter) ? { letter, written: record.timestamp } : null;
    };
    const found = await Promise.all(spans.map((lane) => newestOf(bus, topic, lane, limit, fitting)));
    const sorted = found.flat().sort((one, other) => other.written - one.written);
    return sorted.slice(0, limit).map(({ letter }) => letter);
  }

  async function currentStanding(): Promise<Standing> {
    return (await bus.knows(actions)) ? await readStanding(bus, actions) : new Standing();
  }

  async function show(id: string): Promise<Letter | null> {
    for await (const letter of list({ ids: [id] })) return letter;
    return null;
  }

  /** The letters to act on: of those that are named somebody wants to know also when they are handled. */
  async function* toActOn(filter: LetterFilter): AsyncGenerator<Letter> {
    for await (const letter of list(filter)) if (filter.ids || !isHandled(letter.state)) yield letter;
  }

  async function ask(
    filter: LetterFilter,
    options: ActOptions,
    request: (letter: Letter, asked: Pick<Action, "run" | "by" | "outcome" | "letter">) => Outgoing,
  ): Promise<ActionReport> {
    letterMatcher(filter);
    const letters = toActOn(filter);
    const run = randomUUID();
    const { by = whoAsks() } = options;
    await using worker = await join();
    return await act(
      {
        bus,
        topic: actions,
        run,
        letters,
        wanted: filter.ids ?? [],
        request: (letter) => request(letter, { letter: letter.id, outcome: "asked", run, by }),
        failed: worker.failed,
      },
      options,
    );
  }

  async function join(): Promise<LetterWorker> {
    if (!bus.features.exactlyOnce)
      throw new ConfigError([
        `dead letters can't be acted on over the bus "${bus.name}": each is to be acted on once, and that needs a bus with delivery exactly-once, kafka or memory`,
      ]);
    await prepareTopic();
    const mine = (working ??= { worker: startWorker({ bus, topic: actions, log }), users: 0 });
    mine.users++;
    const leave = async () => {
      if (--mine.users > 0) return;
      if (working === mine) working = undefined;
      await (await mine.worker).stop(Date.now() + config.shutdownTimeoutMs);
    };
    try {
      const { failed } = await mine.worker;
      return { failed, [Symbol.asyncDispose]: leave };
    } catch (error) {
      if (working === mine) working = undefined;
      throw error;
    }
  }

  async function prepareTopic(): Promise<void> {
    if (!(await bus.knows(topic))) throw new UnknownTopic(topic);
    // One partition: what is done stands in one order, and a letter's records never move to another one.
    if (config.createTopics || bus.name === "memory")
      await bus.create([{ topic: actions, partitions: 1, keepForever: true }]);
    else if (!(await bus.knows(actions)))
      throw new ConfigError([
        `topic "${actions}" does not exist, in which it is kept what is done with dead letters: create it with one partition, kept for ever (retention.ms=-1, retention.bytes=-1), or set METROBUS_CREATE_TOPICS=true`,
      ]);
  }

  return {
    list,
    newest,
    show,
    replay: (filter, options = {}) =>
      ask(filter, options, (letter, asked) => {
        const message = replayOf(letter, options, config);
        const edited = options.payload !== undefined;
        return actionRecord(actions, { ...asked, action: "replay", to: message.topic, why: "", edited }, message);
      }),
    async discard(filter, options) {
      const { reason: why } = options;
      if (!why.trim()) throw new MetrobusError("letters are discarded for a reason: say which");
      return await ask(filter, options, (_, asked) =>
        actionRecord(actions, { ...asked, action: "discard", to: "", why, edited: false }),
      );
    },
    async *audit(letter) {
      if (!(await bus.knows(actions))) return;
      for await (const record of oldestFirst(bus, actions, await spansOf(bus, actions, actions))) {
        const said = readAction(record);
        if (said && (letter === undefined || said.asked.letter === letter))
          yield { time: record.timestamp, ...said.asked };
      }
    },
    work: join,
  };
}

const letterOf = (record: Received, standing: Standing) => readLetter(record, standing.of(letterId(record)));
