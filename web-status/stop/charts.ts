import { duration } from "../format.ts";
import { KINDS, LABELS } from "./outcomes.ts";
import type { StopAnswer } from "./answer.ts";

/** Series for the charts, x in epoch seconds, as uPlot takes them. */
export function charts({ history, stepMs }: StopAnswer) {
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
        y: history.map((step) => aSecond(step[kind], stepMs)),
      })),
    },
    { id: "worked", title: "Time in the callback", unit: "ms", x, series: times("workedMs") },
    { id: "waited", title: "Time waited before", unit: "ms", x, series: times("waitedMs") },
    { id: "drops", title: "Dropped, by reason", unit: "/s", x, series: drops(history, stepMs) },
  ]
    .filter(({ series }) => series.length > 0)
    .map((chart) => ({ ...chart, json: JSON.stringify(chart), rows: rows(chart, stepMs) }));
}

/** So many reasons have a line of their own, the most frequent ones; what is drawn of each is a colour. */
const REASONS = ["first", "second", "third", "fourth"];
const LONGEST_LABEL = 40;

/** A series for each reason; nothing: nothing was dropped. */
function drops(history: StopAnswer["history"], stepMs: number) {
  const totals = new Map<string, number>();
  for (const { reason, count } of history.flatMap((step) => step.drops))
    totals.set(reason, (totals.get(reason) ?? 0) + count);
  const reasons = [...totals].toSorted((one, other) => other[1] - one[1]).map(([reason]) => reason);
  const own = reasons.slice(0, REASONS.length);
  const series = (label: string, kind: string, is: (reason: string) => boolean) => ({
    label: label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1).toWellFormed()}…` : label,
    kind,
    y: history.map((step) => {
      const found = step.drops.filter(({ reason }) => is(reason));
      return aSecond(
        found.reduce((sum, { count }) => sum + count, 0),
        stepMs,
      );
    }),
  });
  const all = own.map((reason, n) => series(reason || "no reason given", REASONS[n]!, (each) => each === reason));
  if (reasons.length > own.length) all.push(series("other reasons", "rest", (each) => !own.includes(each)));
  return all;
}

const aSecond = (times: number, stepMs: number): number | null => round((times * 1_000) / stepMs);
const round = (value: number | null): number | null => (value === null ? null : Math.round(value * 1_000) / 1_000);

interface Chart {
  readonly unit: string;
  readonly x: readonly number[];
  readonly series: readonly { readonly y: readonly (number | null)[] }[];
}

/** The newest first, for who sees no chart. */
function rows({ x, series, unit }: Chart, stepMs: number) {
  const shown = (value: number | null) => (unit === "ms" ? duration(value) : (value ?? "–"));
  return x
    .map((at, n) => ({
      at: new Date(at * 1_000).toISOString().slice(11, stepMs < 60_000 ? 19 : 16),
      values: series.map(({ y }) => shown(y[n] ?? null)),
    }))
    .toReversed();
}
