import type { Message } from "../bus.ts";
import { writeEnvelope, writePassed, type Envelope, type Header } from "../envelope.ts";
import { MetrobusError, RouteError } from "../errors.ts";
import { checkTopic, type RouteRules } from "../route.ts";
import { envelopeOf, replayHeaders, type Letter } from "./letter.ts";

/** How a letter is sent again. Default: as it came, to where it failed. */
export interface ReplayChange {
  /** A stop that the message has visited: it is rewound to there, and visits those behind it again. */
  readonly from?: string;
  /** Any topic. Its route stays as it is. */
  readonly to?: string;
  /** Another payload, as JSON text, in the place of the letter's; of a message without an envelope it is the whole value. */
  readonly payload?: string;
}

const UNREADABLE = "unreadable batch";

/**
 * What is sent for a letter: the message as it came, but for what is to be changed, with headers that say of which letter
 * it is a replay. Throws MetrobusError when it can't be.
 */
export function replayOf(letter: Letter, { from, to, payload }: ReplayChange, rules: RouteRules): Message {
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
  const envelope = envelopeOf(letter);
  const header = from === undefined ? envelope?.header : rewound(letter, envelope?.header ?? null, from);
  const value =
    from === undefined && payload === undefined ? letter.value : rewritten(letter, envelope, header, payload);
  return { topic, key: letter.key, value, headers: [...letter.headers, ...replayHeaders(letter)] };
}

/** The header as it was when the message arrived at a stop last; what has been added to its route since stays in it. */
function rewound(letter: Letter, header: Header | null, stop: string): Header {
  const { visited } = letter;
  if (!header || visited.length === 0)
    throw new RouteError(`letter ${letter.id} has no route to rewind: it can only go back to where it failed`);
  if (!visited.includes(stop))
    throw new RouteError(
      `letter ${letter.id} was never at ${JSON.stringify(stop)}: it can be rewound to ${visited.join(", ")}`,
    );
  const { route, historical_route } = header;
  const arrived = historical_route.lastIndexOf(stop) + 1;
  return {
    ...header,
    route: [...route, ...historical_route.slice(arrived).toReversed()],
    historical_route: historical_route.slice(0, arrived),
  };
}

/** An edited message has an id of its own, which tells of which message and letter it was made: what is kept under the old one is another message's. */
function rewritten(letter: Letter, envelope: Envelope | null, header: Header | null | undefined, payload?: string) {
  if (payload !== undefined) checkJson(payload);
  if (!envelope || !header) return Buffer.from(payload!);
  if (payload === undefined) return writePassed(header, envelope, letter.value!);
  return writeEnvelope({ ...header, id: `${header.id}~${letter.id}` }, envelope, payload);
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new MetrobusError(`the payload is not JSON: ${(error as Error).message}`);
  }
}
