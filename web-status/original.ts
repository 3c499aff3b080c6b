import type { Request } from "express";
import type { StatsStore } from "metrobus";
import type { Reply } from "./routes.ts";
import type { LatestStats } from "./sources/latest.ts";

/** What the Python original's page answers a program: its `counter`, and how often it was opened. null: a person asks. */
export function original(request: Request, latest: LatestStats, stats: StatsStore): Promise<Reply> | null {
  return request.accepts(["json", "html", "text/event-stream"]) === "json" ? counts(request, latest, stats) : null;
}

async function counts({ method }: Request, latest: LatestStats, stats: StatsStore): Promise<Reply> {
  const hits = method === "HEAD" ? 0 : await stats.hit().catch(() => 0);
  const { snapshot, fault } = await latest.read();
  if (!snapshot || fault) return { status: 503, json: { error: fault } };
  return { json: { ...snapshot.counter, hit_count: Math.max(hits, snapshot.hits) } };
}
