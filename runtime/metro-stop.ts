import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Subscription } from "./bus.ts";
import { connect, groupOf, type MetroBus } from "./connect.ts";
import type { StopCallback } from "./context.ts";
import { ConfigError, LaneLost, UnknownTopic } from "./errors.ts";
import { progressWatch, type StopHealth } from "./health.ts";
import { hop } from "./hop.ts";
import { compose, type Middleware } from "./middleware.ts";
import { callbackHandler } from "./middleware/callback.ts";
import { deadLetter, reasonOf } from "./middleware/dead-letter.ts";
import { envelope } from "./middleware/envelope.ts";
import { isRetryable, retry } from "./middleware/retry.ts";
import { schema } from "./middleware/schema.ts";
import { timeLimit } from "./middleware/time-limit.ts";
import { nextStop } from "./route.ts";
import { runStop } from "./run.ts";
import { checkStop, type StopOptions } from "./stop-options.ts";
import type { Visit } from "./visit.ts";

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
  readonly #options: Omit<StopOptions<never>, "schema"> & { readonly schema?: StandardSchemaV1 };
  readonly #failure = Promise.withResolvers<Error>();
  readonly #halt = new AbortController();
  readonly #progress = progressWatch();
  /** Dead letters that can't be written at present, and why. */
  readonly #unwritten = new Map<Visit, Error>();
  #hop: ReturnType<typeof hop> | undefined;
  #subscription: Subscription | undefined;
  #metro: MetroBus | undefined;
  #started: Promise<this> | undefined;
  #stopped: Promise<void> | undefined;
  #watch: NodeJS.Timeout | undefined;
  #stuckLanes: readonly string[] = [];
  #gaps = 0;

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
    const problems = [
      ...new Set([...this.#unwritten.values()].map((why) => `a dead letter can't be written: ${why.message}`)),
    ];
    if (!this.#subscription) problems.push("it has not joined its group yet");
    if (this.#stuckLanes.length > 0)
      problems.push(`no progress for a minute on partition ${this.#stuckLanes.join(", ")} though messages wait`);
    return {
      stop: this.topic,
      ready: problems.length === 0,
      stuck: this.#stuckLanes.length > 0,
      problems,
      gaps: this.#gaps,
      lag: lanes.reduce((sum, { position, end }) => sum + Number(end - position), 0),
      lanes: lanes.map(({ lane, position, end }) => ({ lane, position: String(position), end: String(end) })),
    };
  }

  async #start(): Promise<this> {
    await this.#options.setup?.();
    const metro = (this.#metro = this.#options.bus ?? (await connect()));
    const { bus, config } = metro;
    await this.#prepareTopics(metro);
    this.#hop = hop({
      stop: this.topic,
      rules: config,
      log: metro.log.child({ stop: this.topic }),
      halt: this.#halt.signal,
      handler: this.#handler(metro),
      concurrency: this.#options.concurrency ?? config.concurrency,
      settled: (visit) => this.#count(visit, metro),
      lost: (visit) => this.#unwritten.delete(visit),
      stuck: (visit, why) => this.#stuck(visit, why, metro),
      failed: this.#failure.resolve,
    });
    if (this.#halt.signal.aborted) return this;
    const group = this.#options.group ?? groupOf(config, this.topic);
    const onGap = ({ lane, lost, resumedAt }: { lane: string; lost: bigint; resumedAt: string }) => {
      this.#gaps += Number(lost);
      metro.recorder.gap(this.topic, Number(lost));
      metro.log.error(
        { stop: this.topic, partition: lane, lost: String(lost), resumedAt },
        "records were removed by retention before they were read",
      );
    };
    this.#subscription = await bus.consume({ topic: this.topic, group, start: config.start, onGap }, this.#hop.onBatch);
    void this.#subscription.failed.then(this.#failure.resolve);
    this.#watch = setInterval(() => this.#observe(), 1_000).unref();
    metro.log.info({ stop: this.topic, group, bus: bus.name }, "the stop has begun");
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

  /** The order of the middleware, outermost first. */
  #handler({ config }: MetroBus) {
    const { retries = {}, input = "routed", schema: validator, use = [] } = this.#options;
    const { attempts = config.attempts, baseMs = 100, capMs = 10_000 } = retries;
    const layers: Middleware[] = [
      deadLetter,
      envelope(input, config.envelope),
      retry({ attempts, baseMs, capMs, isRetryable: this.#options.isRetryable ?? isRetryable }),
      timeLimit(this.#options.timeLimit ?? config.timeLimitMs),
      ...(validator ? [schema(validator)] : []),
      ...use,
    ];
    return compose(layers, callbackHandler(this.callback));
  }

  #count(visit: Visit, { recorder, log }: MetroBus): void {
    this.#unwritten.delete(visit);
    recorder.times(this.topic, visit.workedMs, visit.waitedMs);
    const { outcome } = visit;
    if (outcome.kind === "drop") recorder.count(this.topic, "dropped", outcome.reason);
    else if (outcome.kind === "dead") {
      recorder.count(this.topic, "dead", reasonOf(outcome.error));
      const { lane, position } = visit.record;
      log.error(
        {
          stop: this.topic,
          id: visit.id,
          partition: lane,
          offset: position,
          attempts: visit.attempt,
          err: outcome.error,
        },
        "dead letter",
      );
    } else {
      const next = nextStop(visit.context.stack);
      recorder.count(this.topic, next === undefined ? "arrived" : "forwarded", next ?? "");
    }
  }

  #stuck(visit: Visit, why: Error, { log }: MetroBus): void {
    this.#unwritten.set(visit, why);
    log.error(
      { stop: this.topic, partition: visit.record.lane, err: why },
      "a dead letter can't be written: its partition waits until it can",
    );
  }

  #observe(): void {
    const lanes = this.#subscription?.lanes() ?? [];
    const busy = lanes.some(({ lane }) => this.#hop?.busy(lane));
    this.#stuckLanes = this.#progress.observe(lanes, busy);
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
