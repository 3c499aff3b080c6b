import { figure, rate, share } from "../format.ts";
import { lettersHref, stopHref } from "../links.ts";
import type { StopAnswer } from "./answer.ts";

/** What becomes of messages, in the order in which the page shows it. */
export const LABELS = {
  forwarded: "Forwarded",
  arrived: "Arrived",
  dropped: "Dropped",
  dead: "Dead",
  later: "Put off",
} as const;
type Kind = keyof typeof LABELS;
export const KINDS = Object.keys(LABELS) as Kind[];

/** Each with its next stops or reasons, the most frequent first. */
export function outcomes({ stop, counts, totals }: StopAnswer, base: string) {
  const sum = { ...totals };
  const hrefOf = (kind: Kind, detail: string): string | null => {
    if (kind === "forwarded") return stopHref(base, detail);
    return kind === "dead" ? lettersHref(base, { stop, reason: detail }) : null;
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
