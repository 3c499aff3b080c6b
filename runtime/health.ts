import { createServer, type Server } from "node:http";
import type { LaneState } from "./bus.ts";
import { MetrobusError } from "./errors.ts";

/** How one stop of the process fares. */
export interface StopHealth {
  readonly stop: string;
  /** It has joined its group, and nothing is in its way. */
  readonly ready: boolean;
  /** There is lag and no progress for a minute, although no callback runs and no backoff waits: the client is stuck. */
  readonly stuck: boolean;
  /** What is in its way, in words. */
  readonly problems: readonly string[];
  /** Records that retention removed before they were read. */
  readonly gaps: number;
  readonly lag: number;
  readonly lanes: readonly { readonly lane: string; readonly position: string; readonly end: string }[];
}

const STUCK_AFTER_MS = 60_000;

/** Tells whether lanes with lag make progress. `observe` is called now and then. */
export function progressWatch() {
  const since = new Map<string, { position: bigint; at: number }>();
  return {
    /** Returns the lanes that have stood still for a minute with records waiting. `busy`: someone is at work, so standing still is no fault. */
    observe(lanes: readonly LaneState[], busy: boolean, now = performance.now()): string[] {
      for (const { lane, position, end } of lanes) {
        const before = since.get(lane);
        if (busy || !before || before.position !== position || position >= end) since.set(lane, { position, at: now });
      }
      return lanes.filter(({ lane }) => now - since.get(lane)!.at > STUCK_AFTER_MS).map(({ lane }) => lane);
    },
  };
}

/**
 * Serves `/healthz` (503 when a stop's client is stuck: restart the process) and `/readyz` (503 while a stop has not
 * joined its group or something is in its way), with each stop's health as JSON. Throws when the port is taken.
 */
export async function serveHealth(port: number, health: () => readonly StopHealth[]): Promise<Server> {
  const server = createServer((request, response) => {
    const stops = health();
    const path = request.url?.split("?")[0];
    const good = { "/healthz": !stops.some(({ stuck }) => stuck), "/readyz": stops.every(({ ready }) => ready) }[
      path ?? ""
    ];
    response.writeHead(good === undefined ? 404 : good ? 200 : 503, { "content-type": "application/json" });
    response.end(JSON.stringify({ ok: good ?? false, stops }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new MetrobusError(`HEALTH_PORT=${port} can't be used (${error.code}): set it to a free port`, { cause: error }),
      ),
    );
    server.listen(port, resolve);
  });
  return server.unref();
}
