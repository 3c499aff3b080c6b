import { openBooks, type Books } from "./books.ts";
import type { Subscription } from "./bus.ts";
import { connect, groupOf, type MetroBus } from "./connect.ts";
import type { StopCallback } from "./context.ts";
import { ConfigError, LaneLost, MetrobusError, Unavailable, UnknownTopic } from "./errors.ts";
import { stopBreaker, stopHandler, type AnyStopOptions } from "./handler.ts";
import type { StopHealth } from "./health.ts";
import { hop } from "./hop.ts";
import type { Breaker } from "./middleware/breaker.ts";
import type { Middleware } from "./middleware.ts";
import type { TracedStop } from "./tracing.ts";
import { pauseGate } from "./pause-gate.ts";
import { membership, type Membership } from "./presence.ts";
import { progressWatch } from "./stuck-lanes.ts";
import { runStop } from "./run.ts";
import { checkStop, laterDelays, type StopOptions } from "./stop-options.ts";

/** The last counts have what callbacks leave of SHUTDOWN_TIMEOUT, and this at least. */
const COUNTS_MS = 500;

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
  #idle: ReturnType<typeof hop>["idle"] | undefined;
  #subscription: Subscription | undefined;
  #metro: MetroBus | undefined;
  #books: Books | undefined;
  #breaker: Breaker | null = null;
  readonly #gate = pauseGate();
  #membership: Membership | undefined;
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

  /** Joins the group and begins. Throws ConfigError, UnknownTopic, Unavailable; once stopped, a stop does not begin again. */
  async start(): Promise<this> {
    this.#checkNotStopped();
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
    if (this.#stopped) problems.push("it has been stopped");
    else if (!this.#subscription) problems.push("it has not joined its group yet");
    const problem = this.#subscription?.problem?.();
    if (problem) problems.push(problem);
    const held = this.#breaker?.problem();
    if (held) problems.push(held);
    const stuck = this.#progress?.stuck() ?? [];
    if (stuck.length > 0) problems.push(standsStill(stuck));
    return {
      stop: this.topic,
      ready: problems.length === 0,
      stuck: stuck.length > 0,
      paused: this.#membership?.paused ?? false,
      problems,
      gaps: this.#books?.gaps() ?? 0,
      lag: lanes.reduce((sum, { position, end }) => sum + Number(end - position), 0),
      lanes: lanes.map(({ lane, position, end }) => ({ lane, position: String(position), end: String(end) })),
    };
  }

  async #start(): Promise<this> {
    try {
      await this.#options.setup?.();
      this.#metro = this.#options.bus ?? (await connect());
      await this.#prepareTopics(this.#metro);
      await this.#join(this.#metro);
      // A stop that came meanwhile has not waited for this.
      this.#checkNotStopped();
      return this;
    } catch (error) {
      await this.#leave(Date.now());
      throw error;
    }
  }

  #checkNotStopped(): void {
    if (!this.#halt.signal.aborted) return;
    throw new MetrobusError(`stop "${this.topic}" has been stopped, and can't begin again: make a new MetroStop`);
  }

  async #join({ bus, config, recorder, tripRecorder: trips, once, log: ofProcess }: MetroBus): Promise<void> {
    this.#checkNotStopped();
    const log = ofProcess.child({ stop: this.topic });
    const group = this.#options.group ?? groupOf(config, this.topic);
    const books = (this.#books = openBooks(this.topic, { recorder, trips, log }));
    const breaker = (this.#breaker = stopBreaker(this.#options, {
      log,
      changed: (openSince) => recorder.breaker(this.topic, openSince),
    }));
    const tracing = config.tracing ? await stopTracing({ stop: this.topic, group, system: bus.name }) : null;
    const { onBatch, idle, busy } = hop({
      ...books,
      stop: this.topic,
      rules: config,
      log,
      halt: this.#halt.signal,
      trips,
      handler: stopHandler(this.callback, this.#options, { config, group, breaker, once, tracing }),
      concurrency: this.#options.concurrency ?? config.concurrency,
      gate: this.#gate,
      failed: this.#failure.resolve,
    });
    const delivery = this.#options.delivery ?? config.delivery;
    if (delivery === "exactly-once" && !bus.features.exactlyOnce) throw notOnThisBus(this.topic, bus.name);
    const later = laterDelays(this.#options);
    const consuming = { topic: this.topic, group, start: config.start, delivery, later, onGap: books.gap };
    const { member, begin } = (this.#membership = membership({
      stop: this.topic,
      group,
      delivery,
      lanes: () => this.#subscription?.lanes() ?? [],
      problems: () => this.health().problems,
      gate: this.#gate,
      log,
    }));
    void Promise.all([recorder.join(member), trips?.begin()]).then(begin);
    const subscription = (this.#subscription = await bus.consume(consuming, onBatch));
    this.#idle = idle;
    void subscription.failed.then(this.#failure.resolve);
    this.#progress = progressWatch({
      lanes: subscription.lanes,
      busy: (lane) => this.#gate.closed || busy(lane),
      ask: () => bus.state(group, this.topic),
    });
    this.#watch = setInterval(() => this.#look(), 1_000).unref();
    log.info({ group, bus: bus.name }, "the stop has begun");
    if (this.#options.once && config.stats === "memory" && bus.name !== "memory")
      log.warn("once keeps outcomes in this process alone, and they end with it: set METROBUS_STATS=redis");
  }

  #look(): void {
    void this.#progress?.look().then(() => this.#failIfStuck());
    const openSince = this.#breaker?.openSince();
    if (openSince) this.#metro?.recorder.breaker(this.topic, openSince);
  }

  /** Another process can take the partitions over: better than to be alive and idle. */
  #failIfStuck(): void {
    const stuck = this.#progress?.stuck() ?? [];
    if (stuck.length > 0) this.#failure.resolve(new Unavailable(`stop "${this.topic}": ${standsStill(stuck)}`));
  }

  async #prepareTopics({ bus, config }: MetroBus): Promise<void> {
    if (this.topic === config.deadLetterTopic) {
      throw new ConfigError([
        `a stop can't read "${this.topic}", the dead-letter topic: what fails there would come back to it`,
      ]);
    }
    // Topics of the memory bus are gone with the process, so somebody in the process has to create them.
    if (config.createTopics || bus.name === "memory") {
      const topics = [this.topic, ...(this.#options.creates ?? [])].map((topic) => ({ topic }));
      await bus.create([...topics, { topic: config.deadLetterTopic, keepForever: true }]);
    } else if (!(await bus.knows(config.deadLetterTopic))) throw new UnknownTopic(config.deadLetterTopic);
  }

  async #stop(): Promise<void> {
    this.#halt.abort(new LaneLost(this.topic, "the stop is ending"));
    // A start that still waits for its broker is not waited for: it leaves by itself.
    if (this.#subscription) await this.#leave(Date.now() + this.#metro!.config.shutdownTimeoutMs);
  }

  /** What is under way has until `deadline` (epoch ms). */
  async #leave(deadline: number): Promise<void> {
    clearInterval(this.#watch);
    const subscription = this.#subscription;
    await subscription?.stop(deadline, this.#idle?.());
    this.#subscription = undefined;
    if (this.#breaker?.openSince()) this.#metro?.recorder.breaker(this.topic, 0);
    if (this.#membership) this.#metro?.recorder.leave(this.#membership.member);
    const counted = Math.max(deadline, Date.now() + COUNTS_MS);
    await this.#metro?.recorder.flush(counted);
    if (!this.#options.bus) await this.#metro?.close(counted);
    if (subscription) this.#metro?.log.info({ stop: this.topic }, "the stop has ended");
  }
}

const standsStill = (partitions: readonly string[]): string =>
  `no progress for 55 s on partition ${partitions.join(", ")} though messages wait and the bus answers`;

/** Loaded only where it is wanted. */
async function stopTracing(stop: TracedStop): Promise<Middleware> {
  const { tracing } = await import("./tracing.ts");
  return tracing(stop);
}

function notOnThisBus(stop: string, bus: string): ConfigError {
  return new ConfigError([
    `stop "${stop}" asks for delivery "exactly-once", which the bus "${bus}" does not have: use the bus kafka or memory, or METROBUS_DELIVERY=at-least-once`,
  ]);
}
