import type { Logger } from "pino";
import type { Config } from "../../config.ts";
import { Unavailable } from "../../errors.ts";
import { backoffMs, pause } from "../../backoff.ts";
import type { AdminConnection } from "./connection.ts";
import { permanent, rootOf } from "./failures.ts";
import { orAborted } from "./persist.ts";

const never = new AbortController().signal;
const REMIND_MS = 10_000;

/**
 * Resolves when a broker answers. Throws ConfigError at once when a setting is to blame, and Unavailable when
 * `connectTimeoutMs` is over.
 */
export async function waitForBroker(config: Config, admin: AdminConnection, log: Logger): Promise<void> {
  const began = Date.now();
  const brokers = config.kafka.brokers.join(", ");
  let reminded = 0;
  let last: unknown;
  for (let failures = 1; ; failures++) {
    const rest = AbortSignal.timeout(Math.max(0, began + config.connectTimeoutMs - Date.now()));
    try {
      await orAborted(
        admin.use((open) => open.describeCluster()),
        rest,
      );
      if (failures > 1) log.info({ brokers }, "Kafka is there");
      return;
    } catch (error) {
      const fault = permanent(error);
      if (fault) throw fault;
      // What failed before says more than that the time is over.
      last = rest.aborted ? (last ?? error) : error;
      const why = explain(last, config);
      if (Date.now() - began >= config.connectTimeoutMs) throw new Unavailable(giveUp(brokers, why, config), last);
      if (Date.now() - reminded >= REMIND_MS) log.warn({ brokers, why }, "waiting for Kafka");
      if (Date.now() - reminded >= REMIND_MS) reminded = Date.now();
      await pause(200 + backoffMs(failures, 200, 2_000), never);
    }
  }
}

/** A broker says under which address clients reach it; one that expects TLS or a log-in only hangs up on whoever comes without. */
function explain(error: unknown, { kafka: { brokers, ssl, sasl } }: Config): string {
  const root = rootOf(error);
  if (root.broker && !brokers.includes(root.broker)) {
    return `${root.message}; the cluster names ${root.broker} as its broker, which can't be reached from here: correct the broker's advertised.listeners`;
  }
  const message = root.name === "TimeoutError" ? "no answer" : root.message;
  const hungUp =
    /closed connection|ECONNRESET|disconnected|socket hang up|before secure TLS|no answer|time(d |-)?out/i.test(
      message,
    );
  const protocol = `${sasl ? "SASL_" : ""}${ssl ? "SSL" : sasl ? "PLAINTEXT" : ""}` || "PLAINTEXT";
  return hungUp ? `${message}; does security_protocol=${protocol} fit this port?` : message;
}

function giveUp(brokers: string, why: string, { connectTimeoutMs }: Config): string {
  return `Kafka at ${brokers} did not answer within ${connectTimeoutMs / 1_000} s (last error: ${why}): start it, correct KAFKA_BROKERS (or KAFKA_HOST and KAFKA_PORT), or wait longer with METROBUS_CONNECT_TIMEOUT`;
}
