import { z } from "zod";
import { isDuration, LONGEST_MS, milliseconds } from "./duration.ts";
import { isOperatorHash, isOperatorName } from "./operator-hash.ts";
import { isTopic } from "./route.ts";

/** What the value of a setting may be: how its text is read, and the words that say what is wrong with it. */

export const whole = (min: number, max: number) => {
  const words = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number(words).int(words).min(min, words).max(max, words);
};
export const port = whole(1, 65_535);
export const flag = z
  .enum(["true", "false", "1", "0", "on", "off"])
  .transform((word) => ["true", "1", "on"].includes(word));
export const duration = (least: "0s" | "1ms" | "1s") =>
  z
    .string()
    .refine(isDuration, { error: "must be a whole number with its unit, such as 500ms, 8s or 2m", abort: true })
    .transform(milliseconds)
    .refine((ms) => ms >= milliseconds(least), `must be at least ${least}`)
    .refine((ms) => ms <= LONGEST_MS, "must be at most 24 days");
export const topicName = z
  .string()
  .refine(isTopic, "must be a topic name: at most 249 letters, digits, '.', '_' or '-', and not '.' or '..' alone");
export const text = z.string();
export const host = z
  .string()
  .regex(/^[^\s:/@,]+$/, "must be the host alone, a name or an IPv4 address, without a scheme, port or log-in");
export const brokerList = z
  .string()
  .transform((list) => list.split(",").map((broker) => broker.trim()))
  .refine(
    (list) => list.every((broker) => /^[^\s:/@]+:\d+$/.test(broker) && port.safeParse(broker.split(":")[1]).success),
    "must be host:port, without a scheme, several with commas between; ports go from 1 to 65535",
  );

export const paths = z
  .string()
  .transform((list) => list.split(",").map((path) => path.trim()))
  .refine(
    (list) => list.every((path) => path.split(".").every((name) => name !== "" && !/[[\]]/.test(name))),
    "must be names with dots between, such as card.number, several with commas between; arrays need no brackets",
  );

type Entries = (readonly [name: string, hash: string])[];
const entriesOf = (list: string): Entries =>
  list.split(",").map((entry) => [entry.split(":")[0]!.trim(), entry.split(":").slice(1).join(":").trim()]);
const broken = (entries: Entries): number =>
  entries.findIndex(([name, hash]) => !isOperatorName(name) || !isOperatorHash(hash)) + 1;
/** The value is not shown, so an error says which entry it is. */
export const operators = z
  .string()
  .transform(entriesOf)
  .refine((entries) => broken(entries) === 0, {
    error: ({ input }) =>
      `entry ${broken(input as Entries)} must be name:hash as \`metrobus operator <name>\` prints it`,
    abort: true,
  })
  .refine((entries) => new Map(entries).size === entries.length, "must have each name once")
  .transform((entries): ReadonlyMap<string, string> => new Map(entries));
const address = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
export const addresses = z
  .string()
  .transform((list) => list.split(",").map((each) => each.trim()))
  .refine(
    (list) => list.every((each) => address.safeParse(each).success),
    "must be addresses or ranges such as 10.0.0.5 or 10.0.0.0/8, IPv4 or IPv6, several with commas between",
  );
export const headerName = z
  .string()
  .regex(/^[A-Za-z][\w-]*$/, "must be the name of a header, such as X-Forwarded-User")
  .transform((name) => name.toLowerCase());
