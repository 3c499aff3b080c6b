import type { Count, CountNow, Done, Instance, LanePresence, OutcomeKind, StopSnapshot } from "metrobus";
import { describe, expect, test } from "vitest";
import { stopState, type Facts } from "../../../web-status/map/stop-state.ts";

const NOW = Date.UTC(2026, 0, 1);

const process = (problems: string[] = [], startedAt = NOW - 3_600_000, lanes: LanePresence[] = []): Instance => ({
  instance: "host-1",
  host: "host",
  pid: 1,
  version: "",
  startedAt,
  seenAt: NOW,
  stops: [{ stop: "A", group: "A", delivery: "at-least-once", paused: false, problems, lanes }],
});

/** Its partitions, with how long each has stood still. */
const standing = (...ms: number[]): Instance =>
  process(
    [],
    undefined,
    ms.map((standingMs, lane) => ({ lane: String(lane), position: 350, end: 400, movedAt: 0, standingMs, growth: 0 })),
  );

/** One that has told nothing for so long, ms. */
const gone = (ms: number): Instance => ({ ...process(), seenAt: NOW - ms });

type Rates = Partial<Record<OutcomeKind, number>>;
const kinds = (rates: Rates) => Object.entries(rates) as [OutcomeKind, number][];

/** Messages a second by outcome, now. */
function counts(rates: Rates, openSince = 0): StopSnapshot {
  const now = kinds(rates).map(([outcome, rate]): CountNow => ({ outcome, detail: "why", count: 1e6, rate }));
  const rate = kinds(rates).reduce((sum, [kind, each]) => (kind === "later" ? sum : sum + each), 0);
  const none = { worked: {}, waited: {}, from: [], forwarded: 0, dropped: 0, arrived: 0, dead: 0, later: 0, gaps: 0 };
  return {
    stop: "A",
    ...none,
    processed: 1e6,
    counts: now,
    rate,
    lastSeen: NOW - 120_000,
    breaker: { openings: 0, openSince },
  };
}

const lately = (by: Rates): Done => ({
  counts: kinds(by).map(([outcome, count]): Count => ({ outcome, detail: "ECONNREFUSED", count })),
  worked: {},
  waited: {},
  from: [],
});

const CALM: Facts = {
  now: NOW,
  stop: "A",
  processed: 1e6,
  counts: counts({ forwarded: 10 }),
  recent: lately({ forwarded: 1_000 }),
  lag: { messages: 0, seconds: null, growth: 0 },
  pause: undefined,
  instances: [process()],
  vanished: [],
  sentNow: 10,
  sentLately: 1_000,
};

const stateOf = (facts: Partial<Facts>) => stopState({ ...CALM, ...facts });
const waits = (messages: number, seconds: number | null = null, growth: number | null = null) => ({
  messages,
  seconds,
  growth,
});
const pause = { by: "ann", at: NOW - 180_000 };
const still = { counts: counts({}) };
const noOne = { instances: [], ...still };

describe.each<[what: string, facts: Partial<Facts>, state: string, words: RegExp]>([
  ["messages pass", {}, "running", /^1 process; nothing waits\.$/],
  ["nothing comes", { ...still, sentNow: 0 }, "idle", /^1 process; its last message was done 2 min ago\.$/],
  ["it ended, and nothing waits", noOne, "idle", /^No process has it; nothing waits/],
  [
    "it ended, and messages wait",
    { ...noOne, lag: waits(42, 60) },
    "down",
    /^No process has it, and 42 messages wait, the oldest for 1\.0 min\.$/,
  ],
  ["it ended, and how long they wait is not known", { ...noOne, lag: waits(1) }, "down", /1 message waits\.$/],
  ["no process tells of it, but a message has only just come", { ...noOne, lag: waits(1, 2) }, "idle", /No process/],
  ["no process tells of it, but it counts", { instances: [], lag: waits(42, 60) }, "lagging", /^42 messages wait/],
  [
    "messages are sent to a stop that never was",
    { ...noOne, counts: undefined, processed: 0, lag: undefined, recent: undefined },
    "down",
    /messages are sent to it/,
  ],
  [
    "they were sent there once",
    { ...noOne, counts: undefined, processed: 0, lag: undefined, sentNow: 0, sentLately: 0 },
    "idle",
    /not known/,
  ],
  [
    "a Python stop gets messages",
    { instances: [], counts: undefined, recent: undefined, lag: undefined },
    "running",
    /tells little/,
  ],
  [
    "a Python stop rests",
    { instances: [], counts: undefined, recent: undefined, lag: undefined, sentNow: 0 },
    "idle",
    /only counts/,
  ],
  [
    "its breaker is open",
    { counts: counts({}, NOW - 30_000), lag: waits(312) },
    "held",
    /^Nearly every message failed, so it has held them for 30 s; 312 messages wait\.$/,
  ],
  [
    "its breaker is open, and it is known why",
    { counts: counts({}, NOW - 30_000), recent: lately({ dead: 10 }) },
    "held",
    /^Nearly every message failed, most as “ECONNREFUSED”, so it has held them for 30 s; nothing waits\.$/,
  ],
  ["it is paused", { ...still, pause, lag: waits(7) }, "paused", /^Paused by ann 3 min ago; 7 messages wait\.$/],
  ["nobody knows who has paused it", { pause: { by: "", at: 0 } }, "paused", /^Paused; nothing waits\.$/],
  ["it is paused, and its breaker was open", { pause, counts: counts({}, NOW - 1_000) }, "paused", /^Paused/],
  ["it is paused, and failed", { ...still, pause, recent: lately({ dead: 50 }) }, "paused", /^Paused/],
  ["it is paused, and old messages wait", { ...still, pause, lag: waits(7, 999) }, "paused", /the oldest for 17 min/],
  ["it is paused, and nobody has it", { ...noOne, pause, lag: waits(7, 999) }, "down", /^No process has it/],
  [
    "one in ten dies",
    { recent: lately({ forwarded: 90, dead: 10 }), counts: counts({ forwarded: 0.2 }) },
    "failing",
    /^10\.0 % of its messages become dead letters lately, most as “ECONNREFUSED”\.$/,
  ],
  ["one of many dies", { recent: lately({ forwarded: 999, dead: 3 }) }, "running", /process/],
  ["a single one of a few dies", { recent: lately({ forwarded: 5, dead: 1 }) }, "running", /process/],
  ["the only one dies", { ...still, recent: lately({ dead: 1 }) }, "failing", /^100 %/],
  [
    "it failed, and has done much since without",
    { recent: lately({ forwarded: 90, dead: 10 }), counts: counts({ forwarded: 20 }) },
    "running",
    /process/,
  ],
  [
    "it has just begun to fail, after much that was good",
    { recent: lately({ forwarded: 1e6, dead: 50 }), counts: counts({ forwarded: 10, dead: 10 }) },
    "failing",
    /^50\.0 % of its messages become dead letters now/,
  ],
  [
    "most is put off",
    { recent: lately({ forwarded: 4, later: 12 }), counts: counts({ later: 0.4 }) },
    "failing",
    /^75\.0 % of its attempts fail and are put off lately/,
  ],
  ["some is put off", { recent: lately({ forwarded: 90, later: 30 }) }, "running", /process/],
  [
    "no process of it can go on",
    { ...still, instances: [process(["the broker is away"])] },
    "failing",
    /^The broker is away\.$/,
  ],
  [
    "one process of two can't go on",
    { instances: [process(["it stands still"]), process()] },
    "running",
    /; 1 of 2: it stands still\.$/,
  ],
  [
    "it has only just started",
    { ...still, instances: [process(["it has not joined its group yet"], NOW - 2_000)] },
    "idle",
    /process/,
  ],
  [
    "old messages wait, and fewer and fewer",
    { lag: waits(4_120, 35, -100) },
    "lagging",
    /^4,120 messages wait, the oldest for 35 s; caught up in about 41 s\.$/,
  ],
  ["old messages wait, and more and more", { lag: waits(4_120, 35, 12.4) }, "lagging", /; grows by 12\.4 \/s\.$/],
  ["so many wait that they will be old", { lag: waits(200) }, "lagging", /^200 messages wait\.$/],
  [
    "one partition stands still, and the others get on",
    { lag: waits(716, 4), instances: [standing(200, 300_000, 31_000)] },
    "lagging",
    /^716 messages wait, the oldest for 4\.0 s; partition 1 has stood at offset 350 for 5\.0 min, and 1 more\.$/,
  ],
  [
    "messages wait, and a process of it was killed",
    { lag: waits(42, 60), vanished: [gone(12_000)] },
    "lagging",
    /^42 messages wait, the oldest for 1\.0 min; its process host-1 vanished 12 s ago\.$/,
  ],
  [
    "its only process was killed",
    { ...noOne, lag: waits(42, 60), vanished: [gone(12_000)] },
    "down",
    /^No process has it, and 42 messages wait, the oldest for 1\.0 min; its process host-1 vanished 12 s ago\.$/,
  ],
  [
    "its process dies again and again",
    { lag: waits(42, 60), vanished: [gone(12_000), gone(40_000), gone(75_000)] },
    "failing",
    /^3 of its processes have vanished since 23:58:45 UTC without saying that they end, the last one 12 s ago\.$/,
  ],
  [
    "its process died again and again, and does no more",
    { vanished: [gone(150_000), gone(190_000), gone(230_000)] },
    "running",
    /process/,
  ],
  ["a callback takes its time", { lag: waits(7, 4), instances: [standing(20_000)] }, "running", /process/],
  ["a burst", { lag: waits(50, 3) }, "running", /50 messages wait, the oldest for 3\.0 s\.$/],
  [
    "it lags, and fails",
    { lag: waits(4_120, 35), recent: lately({ dead: 9 }), counts: counts({ dead: 3 }) },
    "failing",
    /dead letters/,
  ],
])("%s", (_, facts, state, words) => {
  test(`is ${state}`, () => {
    const told = stateOf(facts);
    expect(told).toMatchObject({ state, words: expect.stringMatching(words) });
    expect(told.brief.length).toBeLessThanOrEqual(22);
  });
});
