import { readFileSync } from "node:fs";
import { settings, type Setting, type SettingName, type Values } from "./settings.ts";

/** What can be wrong with settings beyond the value of each. Every fault says which, why, and what to do. */

const SASL = ["sasl_mechanisms", "sasl_username", "sasl_password"] as const;

export type Given = Readonly<Record<string, string | undefined>>;

/** Programs have a right to names such as REDIS_URI: only what can hardly be another's is looked at. */
const OURS = (Object.keys(settings) as SettingName[]).filter((name) =>
  /^(METROBUS|KAFKA|WEB|security|sasl|ssl)_/.test(name),
);
/** For a service named metrobus-web Kubernetes sets METROBUS_WEB_SERVICE_HOST, METROBUS_WEB_PORT_80_TCP_ADDR … */
const SERVICE_LINK = /_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP|SCTP)/;

/** Names that are most likely meant as a setting and would be ignored. A misspelt one whose right spelling is set too is somebody else's. */
export function misspeltNames(given: Given): string[] {
  return Object.keys(given).flatMap((name) => {
    if (!given[name] || name in settings || SERVICE_LINK.test(name)) return [];
    const meant = OURS.find((setting) => alike(name, setting));
    if (meant && !given[meant]) return `${name} is no setting and would be ignored: did you mean ${meant}?`;
    if (!/^(METROBUS|sasl|ssl)_/.test(name)) return [];
    return `${name} is no setting and would be ignored: correct its name (see docs/configuration.md) or remove it`;
  });
}

/** The same but for case, punctuation and at most one letter. */
function alike(name: string, setting: string): boolean {
  const [one, other] = [name, setting].map((each) => each.toLowerCase().replaceAll(/[.-]/g, "_")) as [string, string];
  let same = 0;
  while (same < one.length && one[same] === other[same]) same++;
  const [rest, otherRest] = [one.slice(same), other.slice(same)];
  return [rest, rest.slice(1)].some((tail) => tail === otherRest || tail === otherRest.slice(1));
}

/** Settings that would have no effect beside the others. */
export function ignoredSettings(values: Values, set: (name: SettingName) => boolean): string[] {
  const { METROBUS_BUS: bus, security_protocol: protocol, REDIS_URL: redisUrl } = values;
  const noKafka = bus === "memory" && "METROBUS_BUS is memory, and nothing is sent to Kafka";
  const unless = (fits: boolean | undefined, others: string) =>
    noKafka || (fits === false && `security_protocol is ${protocol}; set it to ${others}`);
  const noLogIn = unless(protocol?.startsWith("SASL"), "SASL_SSL or SASL_PLAINTEXT");
  const noTls = unless(protocol?.endsWith("SSL"), "SSL or SASL_SSL");
  const brokers = set("KAFKA_BROKERS") && "KAFKA_BROKERS is set too; keep one of the two";
  const url = set("REDIS_URL") && "REDIS_URL is set too; keep one of the two";
  const reasons: { readonly [Name in SettingName]?: string | false } = {
    KAFKA_HOST: brokers,
    KAFKA_PORT: brokers,
    security_protocol: noKafka,
    sasl_mechanisms: noLogIn,
    sasl_username: noLogIn,
    sasl_password: noLogIn,
    ssl_ca_location: noTls,
    ssl_certificate_location: noTls,
    ssl_key_location: noTls,
    ssl_key_password: noTls || (!set("ssl_key_location") && "ssl_key_location is not set"),
    REDIS_HOST: url,
    REDIS_PORT: url,
    redis_ca_location: !redisUrl?.startsWith("rediss:") && "REDIS_URL is no rediss:// URL",
    ELASTIC_PORT: !set("ELASTIC_HOST") && "ELASTIC_HOST is not set",
    WEB_TRUST_PROXY:
      !set("WEB_TRUST_HEADER") && !set("WEB_OPERATORS") && "neither WEB_TRUST_HEADER nor WEB_OPERATORS is set",
  };
  return Object.entries(reasons)
    .filter(([name, why]) => why && set(name as SettingName))
    .map(([name, why]) => `${name} is set but would be ignored: ${why}`);
}

/** Settings that others need. */
export function missingSettings(values: Values, set: (name: SettingName) => boolean): string[] {
  const { METROBUS_BUS: bus, security_protocol: protocol } = values;
  const needed = bus !== "memory" && protocol?.startsWith("SASL") ? SASL.filter((name) => !set(name)) : [];
  const faults = needed.map((name) => `${name} is missing: security_protocol=${protocol} needs ${SASL.join(", ")}`);
  if (set("ssl_certificate_location") !== set("ssl_key_location"))
    faults.push("ssl_certificate_location and ssl_key_location go together: set both, or neither");
  if (set("WEB_TRUST_HEADER") && !set("WEB_TRUST_PROXY"))
    faults.push("WEB_TRUST_PROXY is missing: WEB_TRUST_HEADER is believed only from the addresses that it names");
  return faults;
}

/** A value as an error may show it: no secret, no key's text, no log-in. */
export function shown(name: SettingName, value: string): string {
  const { secret = false }: Setting = settings[name];
  return `${name}=${secret || /-----BEGIN|:.*@/s.test(value) ? "(hidden)" : JSON.stringify(value)}`;
}

/** The text of a PEM file; what is wrong with it is added to `faults`. */
export function readPem(name: SettingName, path: string, faults: string[]): string | undefined {
  const fault = (why: string) => void faults.push(`${shown(name, path)}: ${why}`);
  if (path.includes("-----BEGIN"))
    return fault("this is a PEM text itself: write it to a file and give the file's path");
  try {
    const pem = readFileSync(path, "utf8");
    if (!pem.includes("-----BEGIN ")) fault('the file is not in PEM format (no "-----BEGIN"); convert it with openssl');
    return pem;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return fault(`the file can't be read (${code}); correct the path or its permissions`);
  }
}
