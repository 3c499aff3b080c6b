import { inspect } from "node:util";
import type { Outgoing, Received } from "../bus.ts";
import { advance, newHeader, readEnvelope, readRaw, writeEnvelope, writePassed, writePayload } from "../envelope.ts";
import type { Header, PayloadField } from "../envelope.ts";
import { asError, UnusableResult } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";
import { checkHops, checkTopic, nextStop } from "../route.ts";
import type { Outcome, Visit } from "../visit.ts";
import { addVisit } from "../visits.ts";

/** Opens the envelope. */
export function arrival(input: "routed" | "raw", field: PayloadField): Middleware {
  const read = input === "raw" ? (record: Received) => readRaw(record, field) : readEnvelope;
  const open = (record: Received) => {
    if (record.unreadable) throw record.unreadable;
    return read(record);
  };
  return (next) => (visit) => {
    visit.read(open);
    return next(visit);
  };
}

/** Pops the next stop off the route and writes what is to be sent. */
export const departure: Middleware = (next) => (visit) => {
  const outcome = next(visit);
  return isPromise(outcome) ? outcome.then((known) => depart(visit, known)) : depart(visit, outcome);
};

function depart(visit: Visit, outcome: Outcome): Outcome {
  visit.worked();
  checkOwn(outcome);
  const forks = visit.context.forks.map(({ payloadJson, stack }, index) =>
    outgoing(visit, `${visit.id}.${index + 1}`, stack, (header) => writeEnvelope(header, visit.envelope, payloadJson)),
  );
  const main = forwarded(visit, outcome);
  visit.next = main?.topic;
  visit.out = main ? [main, ...forks] : forks;
  return outcome;
}

/** What a middleware of one's own returned; what becomes of a failure is for those outside to say. */
function checkOwn(outcome: Partial<Outcome> = {}): void {
  if (outcome.kind === "forward" || outcome.kind === "pass" || outcome.kind === "drop") return;
  if (outcome.kind === "dead") throw asError(outcome.error);
  throw new UnusableResult(
    `a middleware of "use" returned ${inspect(outcome, { depth: 0 })} in the place of an outcome: return what next(visit) gives, or throw an error`,
  );
}

function forwarded(visit: Visit, outcome: Outcome): Outgoing | null {
  const { stack } = visit.context;
  if (outcome.kind === "forward") {
    const json = writePayload(outcome.payload);
    if (stack.length > 0)
      return outgoing(visit, visit.id, stack, (header) => writeEnvelope(header, visit.envelope, json));
  }
  if (outcome.kind === "pass" && stack.length > 0) {
    return outgoing(visit, visit.id, stack, (header) =>
      writePassed(header, visit.envelope, visit.record.value ?? Buffer.from("null")),
    );
  }
  return null;
}

type Write = (header: Header) => Buffer;

function outgoing(visit: Visit, id: string, stack: readonly string[], write: Write): Outgoing {
  const next = nextStop(stack);
  const before = visit.envelope.header ?? newHeader(id, visit.boarded, stack);
  checkTopic(next, visit.setting.rules);
  checkHops(before.historical_route.length, stack.length, visit.setting.rules);
  const { trips } = visit.setting;
  const visits = trips ? withThis(visit, trips.instance) : before.visits;
  const header = advance(id === before.id ? before : { ...before, id }, stack, next, visits);
  return { topic: next, key: visit.record.key, value: write(header), headers: visit.record.headers };
}

/** What the message has been through, this visit included: see visits.ts. */
function withThis(visit: Visit, instance: string): string {
  const { envelope, record, boarded, attempt } = visit;
  const stop = envelope.header ? envelope.header.historical_route.length : `@${visit.setting.stop}`;
  const [sinceMs, workedMs] = [record.timestamp - boarded, Math.round(visit.workedMs)];
  return addVisit(visit.carried, { stop, instance, sinceMs, workedMs, attempt });
}
