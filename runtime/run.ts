import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { loadConfig, type Config } from "./config.ts";
import { asError, ConfigError, MetrobusError } from "./errors.ts";
import { serveHealth } from "./health.ts";
import { createLogger, type Logger } from "./logger.ts";
import type { MetroStop } from "./metro-stop.ts";
import { untilSignal } from "./signals.ts";

/** What a process has, besides SHUTDOWN_TIMEOUT, to end by itself once the end has begun. */
const MORE_MS = 1_000;
/** What it has at least once all stops have ended. */
const LEAST_MS = 500;

/** The stops of this process that run until a signal comes, or one of them fails. */
const running = new Set<MetroStop<never>>();
const reported = new WeakSet<Error>();
let healthServer: Promise<Server> | undefined;
let oneFailed = Promise.withResolvers<void>();

/**
 * Runs a stop as (part of) a process: starts it, waits for SIGTERM or SIGINT, drains it. Sets the exit code: 0 after a
 * drain, 1 when a stop could not go on or an error was thrown where nobody could catch it, 2 when the configuration is
 * wrong. Never rejects. When one stop fails, all end.
 */
export async function runStop(stop: MetroStop<never>): Promise<void> {
  if (running.size === 0) process.on("unhandledRejection", uncaught).on("uncaughtException", uncaught);
  running.add(stop);
  // Neither a signal handler nor the memory bus keeps a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  const over = Promise.race([untilSignal(), oneFailed.promise]);
  let forcedAfterMs = MORE_MS;
  try {
    const config = loadConfig();
    if (config.healthPort !== null) await (healthServer ??= openHealth(config));
    const started = stop.start().finally(() => (forcedAfterMs += config.shutdownTimeoutMs));
    const failure = await Promise.race([started.then(() => stop.failed), over.then(() => undefined)]);
    if (failure instanceof Error) throw failure;
  } catch (error) {
    fail(asError(error));
  }
  const forcedAt = Date.now() + forcedAfterMs;
  await stop.stop();
  running.delete(stop);
  clearInterval(alive);
  if (running.size === 0) await ended(forcedAt);
}

async function openHealth(config: Config): Promise<Server> {
  const server = await serveHealth(config.healthPort!, () => [...running].map((each) => each.health()));
  const { port } = server.address() as AddressInfo;
  createLogger(config).info({ health: `http://localhost:${port}` }, "health is served under /healthz and /readyz");
  return server;
}

/** Code after `run()` has its time; what is left open for good must not keep the process. */
async function ended(forcedAt: number): Promise<void> {
  process.off("unhandledRejection", uncaught).off("uncaughtException", uncaught);
  if (healthServer) (await healthServer.catch(() => null))?.close();
  healthServer = undefined;
  oneFailed = Promise.withResolvers();
  setTimeout(() => process.exit(), Math.max(LEAST_MS, forcedAt - Date.now())).unref();
}

function uncaught(thrown: unknown): void {
  fail(
    asError(thrown),
    "nobody caught an error (of a promise that is not awaited, or in a timer), so the process ends: ",
  );
}

/** Tells what ends the process, users' mistakes without a stack trace, and ends it. Sets the exit code. */
function fail(error: Error, what = ""): void {
  process.exitCode = error instanceof ConfigError ? 2 : 1;
  oneFailed.resolve();
  // What ended a connection or a server ends every stop that shares it.
  if (reported.has(error)) return;
  reported.add(error);
  const log = logger();
  if (error instanceof MetrobusError && !log.isLevelEnabled("debug")) log.fatal(what + error.message);
  else log.fatal({ err: error }, what + error.message);
}

function logger(): Logger {
  try {
    return createLogger(loadConfig());
  } catch {
    return createLogger({ logLevel: "info", logFormat: process.stderr.isTTY ? "pretty" : "json" });
  }
}
