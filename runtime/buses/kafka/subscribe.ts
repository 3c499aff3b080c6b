import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { until } from "../../backoff.ts";
import type { Batch, ConsumeOptions, Subscription } from "../../bus.ts";
import { asError, Unavailable } from "../../errors.ts";
import type { AdminConnection } from "./connection.ts";
import { answered } from "./answered.ts";
import { createAssignment } from "./assignment.ts";
import { atLeastOnce } from "./at-least-once.ts";
import type { NewClient } from "./client.ts";
import { commitQueue } from "./commits.ts";
import { exactlyOnce } from "./exactly-once.ts";
import type { Lane, LaneHolder } from "./lane.ts";
import { isUnknownTopic } from "./failures.ts";
import { createMember, TICK_MS } from "./member.ts";
import type { Sender } from "./sender.ts";
import { stallWatch } from "./stalls.ts";
import { groupConnection, positions, settledPositions } from "./state.ts";
import type { Topics } from "./topics.ts";
import { takeOver } from "./transactional-producer.ts";
import { transactions } from "./transactions.ts";

export interface SubscribeSetting {
  readonly options: ConsumeOptions;
  readonly onBatch: (batch: Batch) => Promise<void>;
  readonly newClient: NewClient;
  readonly admin: AdminConnection;
  readonly sender: Sender;
  readonly topics: Topics;
  /** How long joining the group may take. */
  readonly joinWithinMs: number;
  readonly sessionTimeoutMs: number;
  readonly log: Logger;
}

const LONGEST_TRANSACTION_MS = 30_000;
/** Joining takes less than a second or so as a rule. */
const TELL_AFTER_MS = 4_000;

/** Joins the group. Throws Unavailable, or what keeps it from joining for good. */
export async function subscribe({
  options,
  onBatch,
  newClient,
  admin,
  sender,
  topics,
  joinWithinMs,
  sessionTimeoutMs,
  log,
}: SubscribeSetting): Promise<Subscription> {
  const { topic, group } = options;
  const failed = Promise.withResolvers<Error>();
  const joined = Promise.withResolvers<void>();
  const idle = Promise.withResolvers<void>();
  /** Lanes, lost ones too, with work under way. */
  const busy = new Set<Lane>();
  let open = true;
  let ended: Promise<void> | undefined;
  let problem: string | null = null;

  const commits = commitQueue({
    lanes: () => assignment.lanes.values(),
    commit: (offsets) => answered(member.commit(offsets)),
    stopped: () => ended !== undefined,
    log,
  });
  const holder: LaneHolder = {
    onBatch,
    open: () => open,
    changed(lane) {
      if (lane.idle) busy.delete(lane);
      else busy.add(lane);
      if (!open && busy.size === 0) idle.resolve();
    },
    fetching(lane, on) {
      lane.paused = !on;
      member.fetching(lane.partition, on);
    },
    fail,
    lanes: () => assignment.lanes.size,
    settler: (lane) =>
      written
        ? exactlyOnce(lane, sender, topics, written)
        : atLeastOnce(lane, sender, commits, () => holder.changed(lane)),
  };
  const isExactlyOnce = options.delivery === "exactly-once";
  const groups = groupConnection(newClient);
  const positionsOf = (partitions: readonly number[]) =>
    isExactlyOnce ? settledPositions(groups, group, topic, partitions) : positions(admin, group, topic);
  // No topic's name has a colon: whatever a group is called, no two stops have the same id.
  const transactionalId = `${group}:${topic}:${randomUUID()}`;
  // What a process leaves open ends by itself about when its partitions are given to others.
  const timeoutMs = Math.min(sessionTimeoutMs, LONGEST_TRANSACTION_MS);
  const written = isExactlyOnce
    ? transactions({
        topic,
        topics,
        log,
        takeOver: () => takeOver({ newClient, transactionalId, group, topic, timeoutMs }),
        membership: () => member.membership(),
        member: () => member.confirmed(),
        rejoin: (why) => member.replace(why),
        positions: positionsOf,
        startOver: (lane) => assignment.startOver(lane),
        changed: (lane) => holder.changed(lane),
        fail,
      })
    : null;
  const assignment = createAssignment({
    options,
    admin,
    holder,
    positions: positionsOf,
    member: () => member,
    begun: joined.resolve,
    log,
  });
  const member = createMember(
    group,
    topic,
    sessionTimeoutMs,
    newClient,
    {
      joined: assignment.joined,
      fetched: assignment.fetched,
      crashed: () => assignment.loseAll("the connection to the group was lost"),
      failed: fail,
    },
    log,
  );
  const stalls = stallWatch(
    () => assignment.lanes.values(),
    (why) => member.replace(why),
    fail,
  );
  // Answers that come together after a silence are one look.
  let refreshing = false;
  const ticking = setInterval(() => {
    member.tick();
    if (!refreshing) void refresh();
  }, TICK_MS).unref();

  async function refresh(): Promise<void> {
    refreshing = true;
    try {
      await assignment.refresh();
      topicGone(false);
      stalls.look();
    } catch (error) {
      stalls.away();
      if (isUnknownTopic(error)) topicGone(true);
    }
    refreshing = false;
  }

  function topicGone(isGone: boolean): void {
    if (isGone === (problem !== null)) return;
    problem = isGone ? `topic "${topic}" is gone: create it again, and the stop goes on by itself` : null;
    if (problem) log.error({ topic }, problem);
    else log.info({ topic }, "the topic is there again");
  }

  function fail(error: Error): void {
    open = false;
    failed.resolve(error);
    joined.reject(error);
    void end("the subscription has failed");
  }

  function end(why: string): Promise<void> {
    clearInterval(ticking);
    assignment.loseAll(why);
    return (ended ??= Promise.all([written?.close(), assignment.closed(), member.leave()]).then(() => groups.close()));
  }

  const waiting = setTimeout(() => {
    const seconds = sessionTimeoutMs / 1_000;
    log.info({ group }, `waiting to join: Kafka keeps the place of a member that was killed for ${seconds} s`);
  }, TELL_AFTER_MS).unref();
  try {
    await within(joinWithinMs, joined.promise, `group "${group}" could not be joined`);
  } catch (error) {
    fail(asError(error));
    throw error;
  } finally {
    clearTimeout(waiting);
  }
  return {
    lanes: () => [...assignment.lanes.values()].filter(({ done }) => done >= 0).map((lane) => lane.state()),
    problem: () => problem ?? stalls.problem(),
    failed: failed.promise,
    async stop(deadline, work) {
      open = false;
      if (busy.size === 0) idle.resolve();
      await until(deadline, Promise.all([idle.promise, work]));
      await end("the subscription has ended");
    },
  };
}

async function within(ms: number, done: Promise<void>, what: string): Promise<void> {
  let over = true;
  await until(
    Date.now() + ms,
    done.then(() => (over = false)),
  );
  if (over)
    throw new Unavailable(
      `${what} within ${ms / 1_000} s: look at the broker's log, or wait longer with METROBUS_CONNECT_TIMEOUT`,
    );
}
