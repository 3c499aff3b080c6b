import { createServer, type Server } from "node:http";
import { MetrobusError } from "./errors.ts";

/** How one stop of the process fares. */
export interface StopHealth {
  readonly stop: string;
  /** It has joined its group, and nothing is in its way. */
  readonly ready: boolean;
  /** For 55 s there was lag and no progress, although nothing was under way (a callback, a backoff, a settlement) and the bus answered: the client is stuck. */
  readonly stuck: boolean;
  /** Whether it holds its messages, since somebody has paused it: that is as it should be. */
  readonly paused: boolean;
  /** What is in its way, in words. */
  readonly problems: readonly string[];
  /** Records that retention removed before they were read. */
  readonly gaps: number;
  readonly lag: number;
  readonly lanes: readonly { readonly lane: string; readonly position: string; readonly end: string }[];
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
