import { randomUUID } from "node:crypto";
import type { Outgoing } from "./bus.ts";
import type { MetroBus } from "./connect.ts";
import { act, type ActOptions, type LetterRun } from "./dead-letters/act.ts";
import { actionRecord, type Action } from "./dead-letters/actions.ts";
import { carrying, type LetterWorker } from "./dead-letters/carrying.ts";
import type { LetterCounts } from "./dead-letters/counts.ts";
import { cursorText } from "./dead-letters/cursor.ts";
import { letterMatcher, type LetterFilter } from "./dead-letters/filter.ts";
import type { Progress } from "./dead-letters/follow.ts";
import type { LetterGroup, LetterGroups, LetterTotals } from "./dead-letters/groups.ts";
import type { Letter } from "./dead-letters/letter.ts";
import {
  letterReading,
  type AuditPage,
  type AuditPageOptions,
  type GroupsOptions,
  type LetterPage,
  type LetterPageOptions,
  type LoggedAction,
} from "./dead-letters/reading.ts";
import { replayOf, type ReplayChange } from "./dead-letters/replay.ts";
import type { ActionReport } from "./dead-letters/report.ts";
import { spansOf } from "./dead-letters/scan.ts";
import { isHandled, type LetterState } from "./dead-letters/standing.ts";
import { MetrobusError } from "./errors.ts";
import { actionsTopic } from "./route.ts";
import { whoAsks } from "./who-asks.ts";

export type {
  Action,
  ActionReport,
  ActOptions,
  AuditPage,
  AuditPageOptions,
  GroupsOptions,
  Letter,
  LetterCounts,
  LetterFilter,
  LetterGroup,
  LetterGroups,
  LetterPage,
  LetterPageOptions,
  LetterRun,
  LetterState,
  LetterTotals,
  LetterWorker,
  LoggedAction,
  Progress,
  ReplayChange,
};

/** The dead letters of a bus: what has failed, and what is done about it. All of it lies in the bus, nothing in this process. */
export interface DeadLetters {
  /** The letters that fit, oldest first, in constant memory. Those that come while it reads are not among them. Throws UnknownTopic, ConfigError. */
  list(filter?: LetterFilter): AsyncIterable<Letter>;
  /**
   * The newest letters that fit, newest first. It reads only as far back as it has to, and not further than some 20,000 letters
   * in one call: `more` is where the next one goes on, `looked` and `back` say how far this one got. Throws UnknownTopic, ConfigError.
   */
  page(options: LetterPageOptions): Promise<LetterPage>;
  /** Reads what was done with letters, as the others do before anything else: all of it the first time, then what is new. Throws Unavailable. */
  refresh(): Promise<void>;
  /** One letter by its id; null: there is none. */
  show(id: string): Promise<Letter | null>;
  /** Counts those that fit by stop, reason and error, reading all in constant memory. Throws UnknownTopic, ConfigError, the signal's reason. */
  groups(options?: GroupsOptions): Promise<LetterGroups>;
  /** The same of all letters, for who wants to know again and again. `signal` ends reading. */
  counts(signal?: AbortSignal): LetterCounts;
  /** Whether letters can be acted on, without creating anything for it. Throws what `replay` and `discard` would: UnknownTopic, ConfigError, Unavailable. */
  check(): Promise<void>;
  /**
   * Sends letters again: those of a filter that are not handled, or those of `ids`. Resolves when each is sent, or it is known
   * why not: what can't be is told in the report. Requests are durable: should this process end, whoever works next
   * carries them out. A letter is acted on once, however many ask. Throws ConfigError, UnknownTopic, Unavailable.
   */
  replay(filter: LetterFilter, options?: ReplayChange & ActOptions): Promise<ActionReport>;
  /** Marks letters as done with, with a reason; as `replay`. They stay in their topic. */
  discard(filter: LetterFilter, options: ActOptions & { readonly reason: string }): Promise<ActionReport>;
  /** A run that several calls of `replay`, or of `discard`, can be part of, in any process. Throws UnknownTopic, ConfigError. */
  begin(): Promise<LetterRun>;
  /** All that was ever asked for and done, of one letter or of all, oldest first. */
  audit(letter?: string): AsyncIterable<LoggedAction>;
  /** The same newest first, as `page`. Throws ConfigError. */
  auditPage(options: AuditPageOptions): Promise<AuditPage>;
  /** Carries out requests, those too that others have left behind, until it is disposed of. `replay` and `discard` do so while they last. */
  work(): Promise<LetterWorker>;
}

/**
 * @example
 * await using bus = await connect();
 * const letters = deadLetters(bus);
 * for await (const { id, stop, reason } of letters.list({ stop: "Charge" })) console.log(id, stop, reason);
 * await letters.replay({ reason: "ECONNREFUSED" }, { rate: 50 });
 */
export function deadLetters({ bus, config, log }: MetroBus): DeadLetters {
  const { deadLetterTopic: topic, createTopics, shutdownTimeoutMs } = config;
  const actions = actionsTopic(topic);
  const reading = letterReading(bus, topic, actions);
  const { join, check, prepare } = carrying({ bus, topic, actions, createTopics, shutdownTimeoutMs, log });

  /** The letters to act on: of those that are named somebody wants to know also when they are handled. */
  async function* toActOn(filter: LetterFilter, upTo: string | undefined): AsyncGenerator<Letter> {
    for await (const letter of reading.list(filter, upTo)) if (filter.ids || !isHandled(letter.state)) yield letter;
  }

  async function ask(
    filter: LetterFilter,
    options: ActOptions,
    request: (letter: Letter, asked: Pick<Action, "run" | "by" | "outcome" | "letter">) => Outgoing,
  ): Promise<ActionReport> {
    letterMatcher(filter);
    const { by = whoAsks(), run: begun } = options;
    const run = begun?.id ?? randomUUID();
    await using worker = await join();
    return await act(
      {
        bus,
        topic: actions,
        run,
        since: begun?.actions,
        letters: toActOn(filter, begun?.letters),
        wanted: filter.ids ?? [],
        request: (letter) => request(letter, { letter: letter.id, outcome: "asked", run, by }),
        failed: worker.failed,
      },
      options,
    );
  }

  return {
    list: (filter) => reading.list(filter),
    page: reading.page,
    refresh: reading.refresh,
    async show(id) {
      for await (const letter of reading.list({ ids: [id] })) return letter;
      return null;
    },
    groups: reading.groups,
    counts: reading.counts,
    check,
    replay: (filter, options = {}) =>
      ask(filter, options, (letter, asked) => {
        const message = replayOf(letter, options, config);
        const edited = options.payload !== undefined || options.route !== undefined;
        return actionRecord(actions, { ...asked, action: "replay", to: message.topic, why: "", edited }, message);
      }),
    async discard(filter, options) {
      const { reason: why } = options;
      if (!why.trim()) throw new MetrobusError("letters are discarded for a reason: say which");
      return await ask(filter, options, (_, asked) =>
        actionRecord(actions, { ...asked, action: "discard", to: "", why, edited: false }),
      );
    },
    async begin() {
      await prepare();
      const [ofLetters, ofActions] = await Promise.all([spansOf(bus, topic, actions), spansOf(bus, actions, actions)]);
      return { id: randomUUID(), letters: cursorText(ofLetters), actions: cursorText(ofActions) };
    },
    audit: reading.audit,
    auditPage: reading.auditPage,
    work: join,
  };
}
