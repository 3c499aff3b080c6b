import { age, clock, count, duration, figure, rate } from "../format.ts";
import { stopHref, tripHref } from "../links.ts";
import { STEADY, trendWords } from "../trend.ts";
import type { Shown } from "../resource.ts";
import { view } from "../views.ts";
import { charts } from "./charts.ts";
import { failureGroups } from "./failures.ts";
import { outcomes } from "./outcomes.ts";
import type { StopAnswer } from "./answer.ts";

const stopPage = view("stop-page");

const SPANS = [
  { span: "15m", label: "15 minutes" },
  { span: "6h", label: "6 hours" },
  { span: "24h", label: "24 hours" },
] as const;

/** Texts and series of one stop, ready to be escaped. */
export function showStop(stop: StopAnswer, shown: Shown): string {
  const here = stopHref(shown.base, stop.stop);
  return stopPage({
    ...shown,
    name: stop.stop,
    state: stop.state,
    why: stop.why,
    fault: stop.fault,
    here,
    pause: stop.pause && { by: stop.pause.by || "somebody", ago: age(stop.pause.at, stop.at) },
    facts: facts(stop),
    spans: SPANS.map(({ span, label }) => ({ href: `${here}?span=${span}`, label, current: span === stop.span })),
    charts: charts(stop),
    outcomes: outcomes(stop, shown.base),
    lanes: stop.lag.lanes.map((lane) => ({
      lane: lane.lane,
      messages: count(lane.messages),
      age: lane.seconds === null ? "–" : duration(lane.seconds * 1_000),
      trend: trend(lane.growth),
      position: `${count(lane.position)} of ${count(lane.end)}`,
      instance: lane.instance ?? "nobody",
      moved:
        lane.standingMs > 0
          ? `stands for ${duration(lane.standingMs)}`
          : lane.movedAt === 0
            ? "–"
            : age(lane.movedAt, stop.at),
      message: lane.message,
      messageHref: lane.message && tripHref(shown.base, lane.message),
    })),
    versions: versions(stop.instances),
    instances: [
      ...stop.instances.map((each) => ({
        ...instanceFacts(each, stop.at),
        how: each.paused ? "paused" : each.problems.length === 0 ? (each.standing ?? "well") : "",
        problems: each.problems,
      })),
      ...stop.vanished.slice(0, VANISHED_SHOWN).map((each) => ({
        ...instanceFacts(each, each.seenAt),
        how: `vanished ${age(each.seenAt, stop.at)}`,
        problems: [],
      })),
    ],
    vanished: vanishedWords(stop),
    failuresFault: stop.failuresFault,
    failures: stop.failures && {
      notKept: stop.failures.notKept > 0 ? count(stop.failures.notKept) : null,
      groups: failureGroups(stop, shown.base),
    },
  });
}

/** Of those that have vanished so many have room. */
const VANISHED_SHOWN = 5;

type InstanceAnswer = StopAnswer["instances"][number];

/** As it is at `now`, or was when it told of itself last. */
const instanceFacts = (
  { instance, version, startedAt, lanes, messages, movedAt, delivery }: InstanceAnswer,
  now: number,
) => ({
  instance,
  version,
  delivery,
  uptime: duration(Math.max(0, now - startedAt)),
  lanes: lanes.join(", ") || "none",
  messages: count(messages),
  moved: movedAt === 0 ? "–" : age(movedAt, now),
});

/** null: all are of one. */
function versions(instances: readonly InstanceAnswer[]): string | null {
  const found = [...Map.groupBy(instances, ({ version }) => version || "without a version")];
  if (found.length <= 1) return null;
  return found
    .map(([version, of]) => `${version} (${of.length === 1 ? "1 process" : `${count(of.length)} processes`})`)
    .join(", ");
}

/** null: none has. */
function vanishedWords({ vanished, at }: StopAnswer): string | null {
  const [newest] = vanished;
  if (!newest) return null;
  const since = clock(vanished.at(-1)!.seenAt);
  return vanished.length === 1
    ? `A process has vanished ${age(newest.seenAt, at)} without saying that it ends: it was killed, has crashed, or lost Redis. Its log says more.`
    : `${count(vanished.length)} processes have vanished since ${since} without saying that they end: they were killed, have crashed, or lost Redis. Their logs say more; what they die of may be a next message above.`;
}

function facts(stop: StopAnswer) {
  const { rate: now, totals, lag, workedMs, waitedMs, lastMinute, lastSeen, at, gaps, span, fault } = stop;
  const isLate = lastMinute.waitedMs.p50 !== null;
  const three = ({ p50, p95, p99 }: StopAnswer["workedMs"]) => [p50, p95, p99].map(duration).join(" · ");
  return {
    rate: fault ? "–" : rate(now),
    processed: figure(totals.processed),
    waiting: count(lag.messages),
    waitingFor: lag.seconds === null ? null : duration(lag.seconds * 1_000),
    trend: lag.messages === 0 ? null : forecast(lag),
    times: isLate ? "last minute" : SPANS.find((each) => each.span === span)!.label,
    worked: three(isLate ? lastMinute.workedMs : workedMs),
    waited: three(isLate ? lastMinute.waitedMs : waitedMs),
    seen: lastSeen === 0 ? "–" : age(lastSeen, at),
    gaps: gaps > 0 ? count(gaps) : null,
  };
}

function forecast(lag: StopAnswer["lag"]): string | null {
  return lag.lanes.some(({ instance }) => instance !== null) ? trendWords(lag) : "nobody is working on it";
}

const trend = (growth: number | null): string =>
  growth === null
    ? "–"
    : Math.abs(growth) <= STEADY
      ? "steady"
      : `${growth > 0 ? "+" : "−"}${rate(Math.abs(growth))} /s`;
