import { age, count, duration, figure, rate, share } from "../format.ts";
import type { Shown } from "../resource.ts";
import { view } from "../views.ts";
import type { StopAnswer } from "./stop.ts";

const stopPage = view("stop-page");

const SPANS = [
  { span: "15m", label: "15 minutes" },
  { span: "6h", label: "6 hours" },
  { span: "24h", label: "24 hours" },
] as const;

const LABELS = {
  forwarded: "Forwarded",
  arrived: "Arrived",
  dropped: "Dropped",
  dead: "Dead",
  later: "Put off",
} as const;
type Kind = keyof typeof LABELS;
const KINDS = Object.keys(LABELS) as Kind[];

/** Texts and series of one stop, ready to be escaped. */
export function showStop(stop: StopAnswer, shown: Shown): string {
  const here = `${shown.base}/stops/${encodeURIComponent(stop.stop)}`;
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
      messageHref: lane.message && `${shown.base}/trips/${encodeURIComponent(lane.message)}`,
    })),
    instances: stop.instances.map((each) => ({
      ...each,
      uptime: duration(stop.at - each.startedAt),
      lanes: each.lanes.join(", ") || "none",
      messages: count(each.messages),
      moved: each.movedAt === 0 ? "–" : age(each.movedAt, stop.at),
      how: each.paused ? "paused" : each.problems.length === 0 ? (each.standing ?? "well") : "",
    })),
    failures: stop.failures && {
      notKept: stop.failures.notKept > 0 ? count(stop.failures.notKept) : null,
      groups: alike(stop.failures.visits).map((visits) => {
        const [newest] = visits;
        const { id, at, detail, attempt, outcome } = newest!;
        const instances = [...new Set(visits.map(({ instance }) => instance))];
        return {
          times: count(visits.length),
          last: age(at, stop.at),
          first: age(visits.at(-1)!.at, stop.at),
          outcome: outcome === "later" ? "put off" : "dead",
          detail,
          letters: outcome === "dead" ? lettersHref(shown.base, stop.stop, detail) : null,
          error: errorText(newest!),
          id,
          href: `${shown.base}/trips/${encodeURIComponent(id)}`,
          attempt,
          instances: instances.length <= 2 ? instances.join(", ") : `${count(instances.length)} instances`,
        };
      }),
    },
  });
}

const lettersHref = (base: string, stop: string, reason: string): string =>
  `${base}/letters?${new URLSearchParams({ stop, reason }).toString()}`;

type Failure = NonNullable<StopAnswer["failures"]>["visits"][number];

const errorText = ({ error }: Failure): string => (error ? `${error.name}: ${error.message}` : "");

/** Those that say the same but for numbers, which are a message's own more often than not. */
const alike = (visits: readonly Failure[]): Failure[][] => [
  ...Map.groupBy(visits, (visit) =>
    JSON.stringify([visit.outcome, visit.detail, errorText(visit).replaceAll(/\d+/g, "0")]),
  ).values(),
];

function facts({ rate: now, totals, lag, workedMs, waitedMs, lastSeen, at, gaps }: StopAnswer) {
  const three = ({ p50, p95, p99 }: StopAnswer["workedMs"]) => [p50, p95, p99].map(duration).join(" · ");
  return {
    rate: rate(now),
    processed: figure(totals.processed),
    waiting: count(lag.messages),
    waitingFor: lag.seconds === null ? null : duration(lag.seconds * 1_000),
    trend: lag.messages === 0 ? null : forecast(lag),
    worked: three(workedMs),
    waited: three(waitedMs),
    seen: lastSeen === 0 ? "–" : age(lastSeen, at),
    gaps: gaps > 0 ? count(gaps) : null,
  };
}

/** Half a message a second is no trend. */
const STEADY = 0.5;

function forecast({ caughtUpInS, growth }: StopAnswer["lag"]): string {
  if (growth === null) return "nobody is working on it";
  if (growth > STEADY) return `grows by ${rate(growth)} /s`;
  return caughtUpInS !== null && growth < -STEADY ? `caught up in about ${duration(caughtUpInS * 1_000)}` : "steady";
}

const trend = (growth: number | null): string =>
  growth === null
    ? "–"
    : Math.abs(growth) <= STEADY
      ? "steady"
      : `${growth > 0 ? "+" : "−"}${rate(Math.abs(growth))} /s`;

/** Series for the charts, x in epoch seconds, as uPlot takes them. */
function charts({ history, stepMs }: StopAnswer) {
  const seconds = stepMs / 1_000;
  const x = history.map(({ at }) => at / 1_000);
  const kinds = KINDS.filter((kind) => kind === "forwarded" || history.some((step) => step[kind] > 0));
  const times = (of: "workedMs" | "waitedMs") =>
    (["p50", "p95", "p99"] as const).map((q) => ({ label: q, kind: q, y: history.map((step) => round(step[of][q])) }));
  return [
    {
      id: "rates",
      title: "Messages a second",
      unit: "/s",
      x,
      series: kinds.map((kind) => ({
        label: LABELS[kind],
        kind,
        y: history.map((step) => round(step[kind] / seconds)),
      })),
    },
    { id: "worked", title: "Time in the callback", unit: "ms", x, series: times("workedMs") },
    { id: "waited", title: "Time waited before", unit: "ms", x, series: times("waitedMs") },
  ].map((chart) => ({ ...chart, json: JSON.stringify(chart), rows: rows(chart) }));
}

const round = (value: number | null): number | null => (value === null ? null : Math.round(value * 1_000) / 1_000);

/** The newest first, for who sees no chart. */
function rows({ x, series }: { x: readonly number[]; series: readonly { y: readonly (number | null)[] }[] }) {
  return x
    .map((at, n) => ({
      at: new Date(at * 1_000).toISOString().slice(11, 16),
      values: series.map(({ y }) => y[n] ?? "–"),
    }))
    .toReversed();
}

function outcomes({ stop, counts, totals }: StopAnswer, base: string) {
  const sum = { ...totals };
  const hrefOf = (kind: Kind, detail: string): string | null => {
    if (kind === "forwarded") return `${base}/stops/${encodeURIComponent(detail)}`;
    return kind === "dead" ? lettersHref(base, stop, detail) : null;
  };
  return KINDS.filter((kind) => kind !== "later" || totals.later > 0).map((kind) => ({
    kind,
    label: LABELS[kind],
    count: figure(sum[kind]),
    share: share(sum[kind], totals.processed),
    none: sum[kind] === 0,
    details: counts
      .filter(({ outcome, detail }) => outcome === kind && detail !== "")
      .map(({ detail, count: times, rate: now }) => ({
        text: detail,
        isStop: kind === "forwarded",
        href: hrefOf(kind, detail),
        count: figure(times),
        rate: now > 0 ? `${rate(now)} /s` : "",
      })),
  }));
}
