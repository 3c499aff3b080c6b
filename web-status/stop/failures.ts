import { age, count } from "../format.ts";
import { lettersHref, tripHref } from "../links.ts";
import type { StopAnswer } from "./answer.ts";

type Failure = NonNullable<StopAnswer["failures"]>["visits"][number];

const errorText = ({ error }: Failure): string => (error ? `${error.name}: ${error.message}` : "");

/** Those that say the same but for numbers, which are a message's own more often than not. */
const alike = (visits: readonly Failure[]): Failure[][] => [
  ...Map.groupBy(visits, (visit) =>
    JSON.stringify([visit.outcome, visit.detail, errorText(visit).replaceAll(/\d+/g, "0")]),
  ).values(),
];

/** What failed lately, those that say the same together, the newest first. */
export function failureGroups({ stop, at: now, failures, instances, vanished }: StopAnswer, base: string) {
  const versions = new Map([...vanished, ...instances].map(({ instance, version }) => [instance, version]));
  const named = (instance: string) => {
    const version = versions.get(instance);
    return version ? `${instance} (${version})` : instance;
  };
  return alike(failures?.visits ?? []).map((visits) => {
    const newest = visits[0]!;
    const { id, at, detail, attempt, outcome } = newest;
    const on = [...new Set(visits.map(({ instance }) => instance))];
    return {
      times: count(visits.length),
      last: age(at, now),
      first: age(visits.at(-1)!.at, now),
      outcome: outcome === "later" ? "put off" : "dead",
      detail,
      letters: outcome === "dead" ? lettersHref(base, { stop, reason: detail }) : null,
      error: errorText(newest),
      id,
      href: tripHref(base, id),
      attempt,
      instances: on.length <= 2 ? on.map(named).join(", ") : `${count(on.length)} instances`,
    };
  });
}
