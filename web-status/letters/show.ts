import { count, figure, time } from "../format.ts";
import { letterHref, lettersHref, runHref, stopHref, tripHref } from "../links.ts";
import type { Shown } from "../resource.ts";
import { view } from "../views.ts";
import type { LettersAnswer } from "./list.ts";
import type { RunAnswer } from "./runs.ts";
import type { Filter } from "./schemas.ts";

const lettersPage = view("letters");
const runPage = view("run");

export function showLetters(
  found: LettersAnswer,
  shown: Shown & { readonly query: Filter & { readonly before?: string | undefined } },
): string {
  const { base, query } = shown;
  const { before: _, ...filter } = query;
  const left = found.groups
    .filter((group) => fits(group, filter))
    .reduce((sum, { open, asked }) => sum + open + asked, 0);
  // What is beyond the first thousand groups is not counted by what it is.
  const isByGroup =
    !found.other && Object.entries(filter).every(([name, value]) => value === undefined || GROUPED.includes(name));
  return lettersPage({
    ...shown,
    filter: Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, shownValue(name, value)])),
    fields: hidden(filter),
    isFiltered: Object.values(filter).some((value) => value !== undefined),
    fault: found.fault,
    runsFault: found.runsFault,
    blocked: found.blocked,
    counted: found.read < found.all ? `${count(found.read)} of ${count(found.all)}` : null,
    isCounted: found.counted,
    total: found.total && { ...figures(found.total) },
    groups: found.groups.map((group) => ({
      ...group,
      ...figures(group),
      href: lettersHref(base, { stop: group.stop, reason: group.reason, errorName: group.error || undefined }),
      stopHref: stopHref(base, group.stop),
      last: time(group.last),
    })),
    other: found.other && figures(found.other),
    letters:
      found.letters &&
      found.letters.map((letter) => ({
        ...letter,
        href: letterHref(base, letter.id),
        tripHref: letter.messageId ? tripHref(base, letter.messageId) : null,
        when: time(letter.time),
        errorText: `${letter.error}: ${letter.message}`,
      })),
    more: found.more === null ? null : lettersHref(base, { ...filter, before: found.more }),
    looked: count(found.looked),
    back: found.back === null ? null : time(found.back),
    stops: found.stops,
    runs: found.runs.map((run) => ({ ...runFacts(run), href: runHref(base, run.id) })),
    totalLeft: isByGroup ? left : null,
  });
}

type Group = LettersAnswer["groups"][number];
/** What letters are counted by. */
const GROUPED = ["stop", "reason", "errorName"];
const fits = (group: Group, { stop, reason, errorName }: Filter): boolean =>
  (stop === undefined || group.stop === stop) &&
  (reason === undefined || group.reason === reason) &&
  (errorName === undefined || group.error === errorName);

const figures = ({ open, asked, replayed, discarded }: Pick<Group, "open" | "asked" | "replayed" | "discarded">) => ({
  openText: figure(open),
  askedText: figure(asked),
  replayedText: figure(replayed),
  discardedText: figure(discarded),
});

const shownValue = (name: string, value: string | number | undefined): string =>
  value === undefined
    ? ""
    : name === "since" || name === "until"
      ? new Date(Number(value)).toISOString().slice(0, 16)
      : String(value);

/** The filter again, for a form that acts on all that fits. */
const hidden = (filter: Filter) =>
  Object.entries(filter).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value: String(value) }]));

/** What came of what was asked for. */
export const OUTCOMES = {
  asked: "asked for",
  done: "done",
  already: "not done: another request was before",
  failed: "not done",
} as const;

const STATES = {
  running: "goes on",
  stopping: "is being stopped",
  stopped: "was stopped",
  done: "is done",
  failed: "has failed",
} as const;

function runFacts({ action, by, at, state, total, report, rate, filter, from, route, why, error }: RunAnswer) {
  const handled = report.done + report.already + report.failed;
  const wanted = total ?? Math.max(handled, report.asked);
  return {
    title: action === "replay" ? "Replay" : "Discard",
    by,
    when: time(at),
    state,
    words: STATES[state],
    isOver: state !== "running" && state !== "stopping",
    handled: count(handled),
    total: total === null ? null : count(total),
    percent: wanted > 0 ? Math.min(100, (handled / wanted) * 100).toFixed(1) : state === "done" ? "100" : "0",
    done: count(report.done),
    already: count(report.already),
    failed: count(report.failed),
    rate: rate === 0 ? "as fast as it goes" : `${count(rate)} a second at most`,
    filter: Object.entries(filter).map(([name, value]) => ({ name, value: String(value) })),
    from,
    route: route && route.join(" → "),
    why,
    error,
  };
}

export function showRun(run: RunAnswer, shown: Shown): string {
  return runPage({
    ...shown,
    ...runFacts(run),
    id: run.id,
    here: runHref(shown.base, run.id),
    failures: run.report.failures.map(({ letter, why }) => ({ letter, why, href: letterHref(shown.base, letter) })),
  });
}
