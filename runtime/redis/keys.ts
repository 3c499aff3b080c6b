/**
 * Every key that metrobus has in Redis. `counter` and `hits` are the Python original's, for its users' scripts.
 */

/** Hash: topic → messages processed. */
export const COUNTER = "counter";

/** How often the page was opened. */
export const HITS = "hits";

/** Set: the stops that have counted. */
export const STOPS = "metrobus:stops";

/**
 * Hash of one stop: `count:<outcome>:<detail>`, `worked:<bucket>`, `waited:<bucket>`, `from:<bucket>:<stop>`, `lastSeen`,
 * `gaps`, `openings` (of its breaker), and `details` (how many different counts there are).
 */
export const stopKey = (stop: string): string => `metrobus:stop:${stop}`;

/**
 * What the hash of a stop was when it counted first in a step of its history, with `since` (epoch ms): what the stop did in the
 * step is what the next one differs by. `<length of a step, s>:<number of the step since 1970>:<stop>`. It expires.
 */
export const HISTORY = "metrobus:history:";
export const historyKey = (seconds: number, step: number, stop: string): string =>
  `${HISTORY}${seconds}:${step}:${stop}`;

/** Hash of one stop: process → `<since>:<until>`, epoch ms, of the breakers that are open. It expires. */
export const openKey = (stop: string): string => `metrobus:open:${stop}`;

/** Sorted set: process → when it told of itself last, epoch ms; those that have vanished for a while too. */
export const INSTANCES = "metrobus:instances";

/** Hash: process → what it told of itself, as JSON (see `Presence`). */
export const PRESENCES = "metrobus:presences";

/** Hash: stop → who paused it and when, as JSON (see `Pause`). */
export const PAUSES = "metrobus:pauses";

/** Hash of one second of Redis's clock: stop → messages, and `<stop>:<outcome>:<detail>` → messages. It expires. */
export const RATE = "metrobus:rate:";

/** Hash of a message's visit to a stop (see `runtime/middleware/once.ts`): `token` and `until` of a claim, or `result`. It expires. */
export const onceKey = (visit: string): string => `metrobus:once:${visit}`;

/** Sorted set: message id → when its trip began, epoch ms. */
export const TRIPS = "metrobus:trips";

/** The same of trips that failed somewhere. */
export const FAILED_TRIPS = "metrobus:trips:failed";

/**
 * Hash of one message: `key` and `boarded`, `header` and `headerAt` (epoch ms, of the visit it came with), and for each visit
 * `visit:<what makes it the same>` → `TripVisit` as JSON. It expires.
 */
export const tripKey = (id: string): string => `metrobus:trip:${id}`;

/** Sorted set: id → when its trip began, of messages whose key has this hash. It expires. */
export const tripsOfKey = (hash: string): string => `metrobus:trips-of-key:${hash}`;

/** List: which share of messages is recorded from when on, `<epoch ms>:<halvings>`, oldest first. */
export const TRIP_SHARES = "metrobus:trip-shares";

/** How many messages boarded in one second of Redis's clock. It expires. */
export const BOARDED = "metrobus:boarded:";

/** List: the newest visits to a stop that failed (`FailedVisit`), newest first, as JSON. It expires. */
export const failuresKey = (stop: string): string => `metrobus:failures:${stop}`;

/** How many more there were. It expires. */
export const notKeptKey = (stop: string): string => `metrobus:failures-not-kept:${stop}`;

/** Sorted set: bulk run over the letters of this topic → when it was added, in µs; and the same of those that have not ended. */
export const runsKey = (deadLetterTopic: string): string => `metrobus:runs:${deadLetterTopic}`;
export const activeRunsKey = (deadLetterTopic: string): string => `metrobus:active-runs:${deadLetterTopic}`;

/**
 * Hash of one bulk run (see `runtime/run-store.ts`): `run` as JSON, `at`, `state`, `report` as JSON, `error`, and who works on it:
 * `token`, `worker` and `until`. It expires once the run has ended.
 */
export const runKey = (id: string): string => `metrobus:run:${id}`;

/** The sequence number that a process has written last. It expires a week after the process's last count. */
export const sequenceKey = (instance: string): string => `metrobus:sequence:${instance}`;
