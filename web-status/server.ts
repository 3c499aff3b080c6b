import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:http";
import { asError, ConfigError, createLogger, loadConfig, MetrobusError, untilSignal } from "metrobus";
import express from "express";
import { statusPage, type PageOptions } from "./page.ts";

export type WebOptions = PageOptions;

export interface Web {
  /** Such as `http://localhost:5000`. */
  readonly url: string;
  /** Ends the live streams and the server, within a second. */
  close(): Promise<void>;
}

/**
 * Serves the status page on `PORT` (0: a free one).
 * @throws ConfigError when the port is in use.
 */
export async function startWeb(options: WebOptions = {}): Promise<Web> {
  const config = loadConfig(options.settings);
  const page = await statusPage(options);
  const server = createServer(express().disable("x-powered-by").use(page));
  const close = async () => {
    await Promise.all([page.end(), closeServer(server)]);
  };
  try {
    const port = await listen(server, config.port);
    page.begin();
    return { url: `http://localhost:${port}`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port);
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new ConfigError([
      `PORT=${port}: ${WHY[code] ?? message}; set PORT to another port, such as PORT=${port + 1}`,
    ]);
  }
}

const WHY: Record<string, string> = {
  EADDRINUSE: "another process listens on this port already",
  EACCES: "this user may not listen on this port",
};

/** Requests under way may finish, but nobody holds the process for longer than half a second. */
async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), 500);
  await closed;
  clearTimeout(timer);
}

/**
 * For a process of its own: serves until SIGTERM or SIGINT; `say` is told where.
 * @throws ConfigError when the counts are in memory, where only the process that counts sees them.
 */
export async function serveUntilSignal(say: (text: string) => void): Promise<void> {
  if (loadConfig().stats === "memory") {
    throw new ConfigError([
      "METROBUS_STATS=memory (METROBUS_BUS=memory implies it): only the process that counts sees such counts; set METROBUS_STATS=redis here and where the stops run, or try `metrobus demo`",
    ]);
  }
  const web = await startWeb();
  say(`the status page is on ${web.url}`);
  await untilSignal();
  await web.close();
}

/** As the program `metrobus` does. */
function report(error: unknown): void {
  const text = error instanceof MetrobusError ? `metrobus: ${error.message}` : asError(error).stack;
  process.stderr.write(`${text}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}

if (import.meta.main) {
  await serveUntilSignal((text) => createLogger(loadConfig()).info(text)).catch(report);
  // An attempt to connect to a bus that is away would hold the process for seconds more.
  process.exit();
}
