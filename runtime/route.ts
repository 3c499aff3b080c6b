import { RouteError } from "./errors.ts";

/** The route, pure: a stack of topics on the wire, next stop last; in travel order everywhere else. */

export interface RouteRules {
  /** How many stops a message may have in all: those visited, the one it is at, and those ahead. */
  readonly maxHops: number;
  readonly deadLetterTopic: string;
}

export function nextStop(stack: readonly string[]): string | undefined {
  return stack.at(-1);
}

/** Travel order ↔ stack. */
export function reversed(topics: readonly string[]): string[] {
  return topics.toReversed();
}

/** Whether Kafka takes it as a topic's name. */
export function isTopic(name: unknown): name is string {
  return typeof name === "string" && /^[\w.-]{1,249}$/.test(name) && name !== "." && name !== "..";
}

/** Where what is done with dead letters is kept. */
export const actionsTopic = (deadLetterTopic: string): string => `${deadLetterTopic}.actions`;

/** Throws RouteError unless Kafka takes the name as a topic's and it is neither the dead-letter topic nor that of its actions. */
export function checkTopic(topic: unknown, rules: RouteRules): asserts topic is string {
  if (!isTopic(topic)) {
    throw new RouteError(
      `${JSON.stringify(topic)} in the route is no topic name: use 1 to 249 letters, digits, ".", "_" or "-"`,
    );
  }
  // Messages are many, and hardly one is going there.
  if (!topic.startsWith(rules.deadLetterTopic)) return;
  if (topic === rules.deadLetterTopic) {
    throw new RouteError(
      `the route leads to "${topic}", the dead-letter topic: throw in the callback to make a message a dead letter`,
    );
  }
  if (topic === actionsTopic(rules.deadLetterTopic)) {
    throw new RouteError(
      `the route leads to "${topic}", where metrobus keeps what is done with dead letters: use "metrobus errors"`,
    );
  }
}

/** Throws RouteError when a route would make a message that has `visited` stops behind it visit too many. */
export function checkHops(visited: number, ahead: number, rules: RouteRules): void {
  if (visited + ahead > rules.maxHops) {
    throw new RouteError(
      `the route has ${visited + ahead} stops (${visited} visited, ${ahead} ahead), more than the ${rules.maxHops} of METROBUS_MAX_HOPS: does it go in a circle?`,
    );
  }
}

/** Throws RouteError unless every stop ahead may be visited. */
export function checkRoute(ahead: unknown, visited: number, rules: RouteRules): asserts ahead is readonly string[] {
  if (!Array.isArray(ahead)) {
    throw new RouteError(
      `${JSON.stringify(ahead) ?? typeof ahead} is no route: give an array of topics in the order of travel, like ["AddEmail", "Log"]`,
    );
  }
  checkHops(visited, ahead.length, rules);
  for (const topic of ahead) checkTopic(topic, rules);
}
