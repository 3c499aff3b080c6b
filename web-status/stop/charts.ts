import { duration } from "../format.ts";
import { KINDS, LABELS } from "./outcomes.ts";
import type { StopAnswer } from "./answer.ts";

/** Series for the charts, x in epoch seconds, as uPlot takes them. */
export function charts({ history, stepMs }: StopAnswer) {
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
  ].map((chart) => ({ ...chart, json: JSON.stringify(chart), rows: rows(chart, stepMs) }));
}

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
