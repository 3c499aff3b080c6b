import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { loadConfig, type Config } from "./config.ts";
import { asError, ConfigError, MetrobusError } from "./errors.ts";
import { serveHealth } from "./health.ts";
import { createLogger, type Logger } from "./logger.ts";
import type { MetroStop } from "./metro-stop.ts";
import { untilSignal } from "./signals.ts";

/** The stops of this process that run until a signal comes, or one of them fails. */
const running = new Set<MetroStop<never>>();
let healthServer: Promise<Server> | undefined;
let oneFailed = Promise.withResolvers<void>();

/**
 * Runs a stop as (part of) a process: starts it, waits for SIGTERM or SIGINT, drains it. Sets the exit code: 0 after a
 * drain, 1 when a stop could not go on, 2 when the configuration is wrong. Never rejects. When one stop fails, all end.
 */
export async function runStop(stop: MetroStop<never>): Promise<void> {
  running.add(stop);
  // Neither a signal handler nor the memory bus keeps a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  const over = Promise.race([untilSignal(), oneFailed.promise]);
  try {
    const config = loadConfig();
    if (config.healthPort !== null) {
      await (healthServer ??= openHealth(config));
    }
    const started = stop.start().then(() => stop.failed);
    const failure = await Promise.race([started, over.then(() => undefined)]);
    if (failure instanceof Error) throw failure;
  } catch (error) {
    report(asError(error));
    oneFailed.resolve();
  }
  await stop.stop();
  running.delete(stop);
  clearInterval(alive);
  if (running.size === 0) await ended();
}

async function openHealth(config: Config): Promise<Server> {
  const server = await serveHealth(config.healthPort!, () => [...running].map((each) => each.health()));
  const { port } = server.address() as AddressInfo;
  createLogger(config).info({ health: `http://localhost:${port}` }, "health is served under /healthz and /readyz");
  return server;
}

async function ended(): Promise<void> {
  if (healthServer) (await healthServer.catch(() => null))?.close();
  healthServer = undefined;
  oneFailed = Promise.withResolvers();
  // Whatever the stops' own code left open must not keep the process.
  setTimeout(() => process.exit(), 1_000).unref();
}

/** Tells what ended the process: users' mistakes without a stack trace. Sets the exit code. */
function report(error: Error): void {
  process.exitCode = error instanceof ConfigError ? 2 : 1;
  const log = logger();
  if (error instanceof MetrobusError && !log.isLevelEnabled("debug")) log.fatal(error.message);
  else log.fatal(error);
}

function logger(): Logger {
  try {
    return createLogger(loadConfig());
  } catch {
    return createLogger({ logLevel: "info", logFormat: process.stderr.isTTY ? "pretty" : "json" });
  }
}
