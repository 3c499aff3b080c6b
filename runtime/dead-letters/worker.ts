import type { Logger } from "pino";
import { backoffMs, pause } from "../backoff.ts";
import type { Batch, Bus, Instead, Received, Settled, Subscription } from "../bus.ts";
import { asError, type MetrobusError } from "../errors.ts";
import { actionRecord, readAction, type Action } from "./actions.ts";
import { isHandled, readStanding, type Standing } from "./standing.ts";

export interface WorkerSetting {
  readonly bus: Bus;
  /** The actions topic. */
  readonly topic: string;
  readonly log: Logger;
}

/** What a process that was killed has left behind waits for so long. */
const SILENT_MS = 10_000;

/**
 * Carries out what is asked for: the message and a record that it is done are written in one transaction, with the
 * position behind the request, and whoever takes the lane over knows by those records what is done. So a letter is acted
 * on once, however many ask and whatever dies.
 *
 * The group is named after the topic, not after CONSUMER_GROUP: all that work on the same letters must be in one.
 */
export function startWorker({ bus, topic, log }: WorkerSetting): Promise<Subscription> {
  const standings = new WeakMap<AbortSignal, Standing>();

  async function onBatch(batch: Batch): Promise<void> {
    try {
      let standing = standings.get(batch.signal);
      if (!standing) standings.set(batch.signal, (standing = await persistently(batch.signal)));
      await carryOut(batch, topic, standing);
    } catch (error) {
      if (!batch.signal.aborted) throw error;
    }
  }

  /** Where the letters stand. From here on nobody but us writes what is done with those of the lane that was taken over. */
  async function persistently(signal: AbortSignal): Promise<Standing> {
    for (let failures = 1; ; failures++) {
      try {
        return await readStanding(bus, topic, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.error({ error: asError(error).message }, "what was done with dead letters can't be read; trying again");
        await pause(backoffMs(failures, 500, 10_000), signal);
      }
    }
  }

  const how = { topic, group: topic, start: "earliest", delivery: "exactly-once", silentMs: SILENT_MS } as const;
  return bus.consume(how, onBatch);
}

/** Two requests for one letter are never settled together: what becomes of the first is not known before that. */
async function carryOut(batch: Batch, topic: string, standing: Standing): Promise<void> {
  let done: Settled[] = [];
  const answers = new Map<number, Action>();
  const letters = new Set<string>();

  const failedInstead: Instead = (index, why) => [actionRecord(topic, fail(index, why))];
  function fail(index: number, why: MetrobusError): Action {
    const answer = { ...answers.get(index)!, outcome: "failed", why: why.message } as const;
    answers.set(index, answer);
    return answer;
  }
  async function settle(): Promise<void> {
    if (done.length > 0) await batch.settle(done, failedInstead);
    for (const answer of answers.values()) standing.note(answer);
    answers.clear();
    letters.clear();
    done = [];
  }

  for (const [index, record] of batch.records.entries()) {
    const request = requestOf(record);
    if (!request) {
      done.push({ index, out: [] });
      continue;
    }
    const { asked, message } = request;
    if (letters.has(asked.letter)) await settle();
    letters.add(asked.letter);
    const handled = isHandled(standing.of(asked.letter));
    const answer = { ...asked, outcome: handled ? "already" : "done" } as const;
    answers.set(index, answer);
    const mark = actionRecord(topic, answer);
    done.push({ index, out: message && !handled ? [message, mark] : [mark] });
  }
  await settle();
}

function requestOf(record: Received) {
  const said = readAction(record);
  return said?.asked.outcome === "asked" ? said : null;
}
