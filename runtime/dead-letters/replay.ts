import { isDeepStrictEqual } from "node:util";
import type { Message } from "../bus.ts";
import { writeEnvelope, writePassed, type Header } from "../envelope.ts";
import { MetrobusError, RouteError } from "../errors.ts";
import { checkRoute, checkTopic, reversed, type RouteRules } from "../route.ts";
import { envelopeOf, replayHeaders, type Letter } from "./letter.ts";

/** How a letter is sent again. Default: as it came, to where it failed. */
export interface ReplayChange {
  /** A stop of its route: one that it has visited, to which it is rewound, or one still ahead, before which none is visited any more. */
  readonly from?: string;
  /** Any topic. Its route stays as it is, unless there is another one. */
  readonly to?: string;
  /** Other stops behind the one to which it is sent, the next one first; []: it ends there. */
  readonly route?: readonly string[];
  /** Another payload, as JSON text, in the place of the letter's; of a message without an envelope it is the whole value. */
  readonly payload?: string;
}

const UNREADABLE = "unreadable batch";

/**
 * What is sent for a letter: the message as it came, but for what is to be changed, with headers that say of which letter
 * it is a replay. Throws MetrobusError when it can't be.
 */
export function replayOf(letter: Letter, change: ReplayChange, rules: RouteRules): Message {
  const { from, to } = change;
  if (from !== undefined && to !== undefined)
    throw new MetrobusError("a replay goes from a stop of its route or to a topic, not both: give one of them");
  if (letter.reason === UNREADABLE && to === undefined)
    throw new MetrobusError(
      `letter ${letter.id} is a whole batch that could not be unpacked: have whoever wrote it send its records again, and discard it`,
    );
  const topic = from ?? to ?? letter.from?.topic;
  if (topic === undefined)
    throw new MetrobusError(`letter ${letter.id} does not say where it failed: say to which topic it is to go`);
  checkTopic(topic, rules);
  return {
    topic,
    key: letter.key,
    value: valueOf(letter, change, rules),
    headers: [...letter.headers, ...replayHeaders(letter)],
  };
}

/** Byte for byte as it came, but for what is to be changed. */
function valueOf(letter: Letter, { from, route, payload }: ReplayChange, rules: RouteRules): Buffer | null {
  if (payload !== undefined) checkJson(payload);
  const envelope = envelopeOf(letter);
  const came = envelope?.header ?? null;
  const arrived = from === undefined ? came : movedTo(letter, came, from);
  const leaving = route === undefined ? arrived : rerouted(letter, arrived, route, rules);
  const isAnother = payload !== undefined || leaving !== arrived;
  const header = isAnother ? renamed(leaving, letter) : leaving;
  if (!envelope || !header) return payload === undefined ? letter.value : Buffer.from(payload);
  if (payload !== undefined) return writeEnvelope(header, envelope, payload);
  return header === came ? letter.value : writePassed(header, envelope, letter.value!);
}

/**
 * The header as it was when the message arrived at a stop last, what has been added to its route since still in it; or as it would be had it
 * come to one of those ahead.
 */
function movedTo({ id, visited, ahead }: Letter, header: Header | null, stop: string): Header {
  if (!header || visited.length === 0)
    throw new RouteError(`letter ${id} has no route to go along: it can only go back to where it failed`);
  const { route, historical_route } = header;
  if (visited.includes(stop)) {
    const arrived = historical_route.lastIndexOf(stop) + 1;
    return {
      ...header,
      route: [...route, ...historical_route.slice(arrived).toReversed()],
      historical_route: historical_route.slice(0, arrived),
    };
  }
  if (!ahead.includes(stop))
    throw new RouteError(
      `the route of letter ${id} has no ${JSON.stringify(stop)}: it can go to ${[...visited, ...ahead].join(", ")}`,
    );
  return {
    ...header,
    route: route.slice(0, route.lastIndexOf(stop)),
    historical_route: [...historical_route, stop],
  };
}

/** The header with these stops ahead; the same one where it has them already. */
function rerouted(letter: Letter, header: Header | null, ahead: readonly string[], rules: RouteRules): Header {
  if (!header)
    throw new RouteError(`letter ${letter.id} has no header, so no route that could be another one: leave route out`);
  checkRoute(ahead, header.historical_route.length, rules);
  const route = reversed(ahead);
  return isDeepStrictEqual(route, header.route) ? header : { ...header, route };
}

/**
 * With another payload or route it is another message, with an id of its own that tells of which message and letter it was made: what the
 * option `once` keeps under the old id is the old message as it was sent on, its route in it, and a stop that recalls that would send it on
 * once more.
 */
const renamed = (header: Header | null, { id }: Letter): Header | null =>
  header && { ...header, id: `${header.id}~${id}` };

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new MetrobusError(`the payload is not JSON: ${(error as Error).message}`);
  }
}
