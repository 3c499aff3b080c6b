import { ConfigError, MetrobusError } from "../../errors.ts";

/** What kafkajs's errors carry, of whatever class they are. */
interface Failure {
  name?: string;
  message?: string;
  /** Kafka's own name of the error. */
  type?: string;
  /** OpenSSL's or the operating system's. */
  code?: string | number;
  retriable?: boolean;
  /** host:port that could not be reached. */
  broker?: string;
  cause?: Failure;
  errors?: Failure[];
}

/** The error that started it: kafkajs wraps errors in "number of retries exceeded" and the like. */
export function rootOf(error: unknown): Failure & { message: string } {
  let root = error as Failure;
  for (let depth = 0; depth < 10; depth++) {
    const inner = root.cause ?? root.errors?.[0];
    if (!inner) break;
    root = inner;
  }
  return { ...root, name: root.name ?? "Error", message: root.message ?? "an error without a message" };
}

export const typeOf = (error: unknown): string => rootOf(error).type ?? "";

export const isUnknownTopic = (error: unknown): boolean => typeOf(error) === "UNKNOWN_TOPIC_OR_PARTITION";

/** Errors of a member that is about to join again: nothing to worry anybody with. */
export const isRebalance = (error: unknown): boolean =>
  ["REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "NOT_COORDINATOR_FOR_GROUP"].includes(
    typeOf(error),
  );

/** Kafka refuses the record itself: sending it again can't help. */
export function refusal(error: unknown, topic: string): MetrobusError | null {
  const { type = "", message } = rootOf(error);
  if (type === "TOPIC_AUTHORIZATION_FAILED") return notAuthorized(topic);
  // A time that it does not take is this machine's clock's, and no fault of the record.
  if (["INVALID_RECORD", "POLICY_VIOLATION", "INVALID_TOPIC_EXCEPTION"].includes(type))
    return new MetrobusError(`topic "${topic}" does not take the record: ${message}`, {
      reason: "refused by the broker",
    });
  return null;
}

export const isTooLarge = (error: unknown): boolean =>
  ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"].includes(typeOf(error));

export function notAuthorized(topic: string): MetrobusError {
  return new MetrobusError(
    `not authorized for topic "${topic}": the broker's access rules (ACLs) do not let this user describe, read or write it; have it granted, or use another user`,
    { reason: `not authorized for ${topic}` },
  );
}

/** What no waiting will make right: a setting, or a right that is missing; null: it may. */
export function permanent(error: unknown): MetrobusError | null {
  if (error instanceof MetrobusError) return error;
  if (typeOf(error) === "TRANSACTIONAL_ID_AUTHORIZATION_FAILED")
    return new MetrobusError(
      "not authorized for delivery exactly-once: have WRITE and DESCRIBE on the transactional ids granted (prefix: the consumer group's name), or use METROBUS_DELIVERY=at-least-once",
      { reason: "not authorized" },
    );
  if (typeOf(error) !== "GROUP_AUTHORIZATION_FAILED") return settingAtFault(error);
  return new MetrobusError(
    "not authorized for the consumer group: have READ on it granted (its name is CONSUMER_GROUP.<topic>), or use another user or CONSUMER_GROUP",
    { reason: "not authorized" },
  );
}

function settingAtFault(error: unknown): ConfigError | null {
  const { type = "", code, name, message } = rootOf(error);
  if (type === "INVALID_SESSION_TIMEOUT")
    return new ConfigError([
      "Kafka does not take METROBUS_SESSION_TIMEOUT: set it between the broker's group.min.session.timeout.ms (6 s by default) and group.max.session.timeout.ms (30 min by default), or change those",
    ]);
  if (name === "KafkaJSSASLAuthenticationError" || type.startsWith("SASL_") || type.startsWith("UNSUPPORTED_SASL"))
    return new ConfigError([
      `Kafka refuses the log-in (${message}): correct sasl_mechanisms, sasl_username and sasl_password`,
    ]);
  if (
    /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_OSSL/.test(String(code)) ||
    /alert (bad|unknown|certificate)/.test(message)
  )
    return new ConfigError([
      `no trust between metrobus and Kafka's port (${message}): correct ssl_ca_location, ssl_certificate_location and ssl_key_location, or the host's name in the broker's certificate`,
    ]);
  if (/EPROTO|wrong version number|ERR_SSL/i.test(`${code} ${message}`))
    return new ConfigError([
      `Kafka's port does not speak TLS as metrobus does (${message}): correct security_protocol or the port`,
    ]);
  return null;
}
