import { duration, rate } from "./format.ts";

/** Messages a second: less is no trend. */
export const STEADY = 0.5;

/** What becomes of what waits if it goes on as now; null: nobody knows. */
export function trendWords({ messages, growth }: { messages: number; growth: number | null }): string | null {
  if (growth === null) return null;
  if (growth > STEADY) return `grows by ${rate(growth)} /s`;
  return growth < -STEADY ? `caught up in about ${duration((messages / -growth) * 1_000)}` : "steady";
}
