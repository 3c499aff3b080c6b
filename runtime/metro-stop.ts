import { openBooks, type Books } from "./books.ts";
import type { Subscription } from "./bus.ts";
import { connect, groupOf, type MetroBus } from "./connect.ts";
import type { StopCallback } from "./context.ts";
import { ConfigError, LaneLost, UnknownTopic } from "./errors.ts";
import { stopHandler, type AnyStopOptions } from "./handler.ts";
import type { StopHealth } from "./health.ts";
import { hop } from "./hop.ts";
import { progressWatch } from "./progress.ts";
import { runStop } from "./run.ts";
import { checkStop, type StopOptions } from "./stop-options.ts";

/**
 * A microservice: a topic and a callback that gets each message's payload and returns it changed, or null to drop it.
 * Where the message goes next it carries itself. The constructor connects to nothing; it throws ConfigError with all that
 * is wrong with what it is given.
 * @example
 * export const stop = new MetroStop("AddEmail", (message: { account: number }) => ({ ...message, email: find(message.account) }));
 * if (import.meta.main) await stop.run();
 */
export class MetroStop<In = unknown> implements AsyncDisposable {
  readonly topic: string;
  readonly callback: StopCallback<In>;
  /** Resolves, with the reason, when a started stop can't go on. */
  readonly failed: Promise<Error>;
  readonly #options: AnyStopOptions;
  readonly #failure = Promise.withResolvers<Error>();
  readonly #halt = new AbortController();
  #hop: ReturnType<typeof hop> | undefined;
  #subscription: Subscription | undefined;
  #metro: MetroBus | undefined;
  #books: Books | undefined;
  #started: Promise<this> | undefined;
  #stopped: Promise<void> | undefined;
  #progress: ReturnType<typeof progressWatch> | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(topic: string, callback: StopCallback<In>, options: StopOptions<In> = {}) {
    checkStop(topic, callback, options);
    this.topic = topic;
    this.callback = callback;
    this.#options = options;
    this.failed = this.#failure.promise;
  }

  /** Joins the group and begins. Throws ConfigError, UnknownTopic, Unavailable. */
  start(): Promise<this> {
    return (this.#started ??= this.#start());
  }

  /** Takes no new message, lets running callbacks finish within SHUTDOWN_TIMEOUT, sends and commits their results, leaves the group. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  /** For a process: start, wait for SIGTERM or SIGINT, stop; sets the exit code (0; 1 failed; 2 wrong configuration). Never rejects. */
  run(): Promise<void> {
    return runStop(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  health(): StopHealth {
    const lanes = this.#subscription?.lanes() ?? [];
    const problems = (this.#books?.unwritten() ?? []).map((why) => `a dead letter can't be written: ${why}`);
    if (!this.#subscription) problems.push("it has not joined its group yet");
    const stuck = this.#progress?.stuck() ?? [];
    if (stuck.length > 0)
      problems.push(
        `no progress for a minute on partition ${stuck.join(", ")} though messages wait and the bus answers`,
      );
    return {
      stop: this.topic,
      ready: problems.length === 0,
      stuck: stuck.length > 0,
      problems,
      gaps: this.#books?.gaps() ?? 0,
      lag: lanes.reduce((sum, { position, end }) => sum + Number(end - position), 0),
      lanes: lanes.map(({ lane, position, end }) => ({ lane, position: String(position), end: String(end) })),
    };
  }

  async #start(): Promise<this> {
    await this.#options.setup?.();
    const metro = (this.#metro = this.#options.bus ?? (await connect()));
    const { bus, config } = metro;
    await this.#prepareTopics(metro);
    const log = metro.log.child({ stop: this.topic });
    const books = (this.#books = openBooks(this.topic, metro.recorder, log));
    this.#hop = hop({
      ...books,
      stop: this.topic,
      rules: config,
      log,
      halt: this.#halt.signal,
      handler: stopHandler(this.callback, this.#options, config),
      concurrency: this.#options.concurrency ?? config.concurrency,
      failed: this.#failure.resolve,
    });
    if (this.#halt.signal.aborted) return this;
    const group = this.#options.group ?? groupOf(config, this.topic);
    const consuming = { topic: this.topic, group, start: config.start, onGap: books.gap };
    this.#subscription = await bus.consume(consuming, this.#hop.onBatch);
    void this.#subscription.failed.then(this.#failure.resolve);
    this.#progress = progressWatch({
      lanes: this.#subscription.lanes,
      busy: this.#hop.busy,
      ask: () => bus.state(group, this.topic),
    });
    this.#watch = setInterval(this.#progress.look, 1_000).unref();
    log.info({ group, bus: bus.name }, "the stop has begun");
    return this;
  }

  async #prepareTopics({ bus, config }: MetroBus): Promise<void> {
    // Topics of the memory bus are gone with the process, so somebody in the process has to create them.
    if (config.createTopics || bus.name === "memory") {
      const topics = [this.topic, ...(this.#options.creates ?? [])].map((topic) => ({ topic }));
      await bus.create([...topics, { topic: config.deadLetterTopic, keepForever: true }]);
    } else if (!(await bus.knows(config.deadLetterTopic))) throw new UnknownTopic(config.deadLetterTopic);
    if (this.topic === config.deadLetterTopic) {
      throw new ConfigError([
        `a stop can't read "${this.topic}", the dead-letter topic: what fails there would come back to it`,
      ]);
    }
  }

  async #stop(): Promise<void> {
    this.#halt.abort(new LaneLost(this.topic, "the stop is ending"));
    // A start that still waits for its broker is not waited for.
    if (!this.#subscription) return void this.#started?.then(() => this.#leave(0)).catch(() => this.#leave(0));
    await this.#leave(this.#metro!.config.shutdownTimeoutMs);
  }

  async #leave(withinMs: number): Promise<void> {
    clearInterval(this.#watch);
    await this.#subscription?.stop(Date.now() + withinMs, this.#hop?.idle());
    await this.#metro?.recorder.flush();
    if (!this.#options.bus) await this.#metro?.close();
    this.#metro?.log.info({ stop: this.topic }, "the stop has ended");
  }
}
