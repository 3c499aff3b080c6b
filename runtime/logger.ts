import { pino, type Logger } from "pino";
import pretty from "pino-pretty";
import type { Config } from "./config.ts";
import { factsOf } from "./error-facts.ts";
import { asError } from "./errors.ts";

export type { Logger };

/** What every part of the runtime logs to: a JSON line an event on stderr, pretty on a terminal. */
export function createLogger(config: Pick<Config, "logLevel" | "logFormat">): Logger {
  const options = { level: config.logLevel, base: null, serializers: { err: (thrown: unknown) => logged(thrown) } };
  if (config.logFormat === "json") return pino(options, pino.destination({ fd: 2, sync: true }));
  return pino(options, pretty({ destination: 2, sync: true, translateTime: "SYS:HH:MM:ss", ignore: "pid,hostname" }));
}

/** Causes further down say little. */
const CAUSES = 3;

/** Not what else hangs on an error: clients keep requests there, with log-ins and payloads. */
function logged(thrown: unknown, depth = 0): object {
  const error = asError(thrown);
  const { name: type, message, stack, code } = factsOf(error);
  const cause = depth < CAUSES ? causeOf(error) : undefined;
  return {
    type,
    message,
    stack,
    ...(code && { code }),
    ...(cause !== undefined && { cause: logged(cause, depth + 1) }),
  };
}

function causeOf(error: Error): unknown {
  try {
    return error.cause;
  } catch {
    return undefined;
  }
}
