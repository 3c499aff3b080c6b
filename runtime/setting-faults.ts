import { readFileSync } from "node:fs";
import { settings, type SettingName, type Values } from "./settings.ts";

/** What can be wrong with settings beyond the value of each. Every fault says which, why, and what to do. */

/** A METROBUS_… name that is none is most likely a typing error: it would be ignored. Kubernetes sets some for a service of that name. */
export function unknownNames(given: Record<string, string | undefined>): string[] {
  return Object.keys(given)
    .filter((name) => name.startsWith("METROBUS_") && !/_(SERVICE|PORT)(_|$)/.test(name) && !(name in settings))
    .map(
      (name) =>
        `${name} is not a setting of metrobus and would be ignored: correct its name (see docs/configuration.md) or remove it`,
    );
}

/** Settings that would have no effect beside the others, and those that others need. */
export function ignoredSettings(values: Values, set: (name: SettingName) => boolean): string[] {
  const faults: string[] = [];
  const protocol = values.security_protocol;
  const ignored = (name: SettingName, why: string) =>
    set(name) && faults.push(`${name} is set but would be ignored: ${why}`);
  if (set("KAFKA_BROKERS")) {
    for (const name of ["KAFKA_HOST", "KAFKA_PORT"] as const)
      ignored(name, "KAFKA_BROKERS is set too; keep one of the two");
  }
  if (set("REDIS_URL")) {
    for (const name of ["REDIS_HOST", "REDIS_PORT"] as const)
      ignored(name, "REDIS_URL is set too; keep one of the two");
  }
  for (const name of ["sasl_mechanisms", "sasl_username", "sasl_password"] as const) {
    if (!protocol?.startsWith("SASL"))
      ignored(name, `security_protocol is ${protocol}; set it to SASL_SSL or SASL_PLAINTEXT`);
    else if (!set(name))
      faults.push(
        `${name} is missing: security_protocol=${protocol} needs sasl_mechanisms, sasl_username and sasl_password`,
      );
  }
  for (const name of ["ssl_ca_location", "ssl_certificate_location", "ssl_key_location", "ssl_key_password"] as const) {
    if (!protocol?.endsWith("SSL")) ignored(name, `security_protocol is ${protocol}; set it to SSL or SASL_SSL`);
  }
  if (set("ssl_certificate_location") !== set("ssl_key_location"))
    faults.push("ssl_certificate_location and ssl_key_location go together: set both, or neither");
  if (!values.REDIS_URL?.startsWith("rediss:")) ignored("redis_ca_location", "REDIS_URL is no rediss:// URL");
  if (!set("ELASTIC_HOST")) ignored("ELASTIC_PORT", "ELASTIC_HOST is not set");
  return faults;
}

/** The text of a PEM file; what is wrong with it is added to `faults`. */
export function readPem(name: string, path: string, faults: string[]): string | undefined {
  try {
    const pem = readFileSync(path, "utf8");
    if (!pem.includes("-----BEGIN "))
      faults.push(
        `${name}=${JSON.stringify(path)}: the file is not in PEM format (no "-----BEGIN"); convert it with openssl`,
      );
    return pem;
  } catch (error) {
    faults.push(
      `${name}=${JSON.stringify(path)}: the file can't be read (${(error as NodeJS.ErrnoException).code}); correct the path or its permissions`,
    );
    return undefined;
  }
}
