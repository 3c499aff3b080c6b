import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type TextMapGetter,
} from "@opentelemetry/api";
import type { Outgoing, RecordHeaders } from "./bus.ts";
import { asError, LaneLost } from "./errors.ts";
import { isPromise } from "./maybe.ts";
import type { Middleware } from "./middleware.ts";
import type { Outcome, Visit } from "./visit.ts";

export interface TracedStop {
  readonly stop: string;
  readonly group: string;
  /** The bus's name. */
  readonly system: string;
}

/**
 * An OpenTelemetry span for each message at a stop, with all its attempts, by the semantic conventions for messaging. It is
 * a child of the span whose context the record's headers have (`traceparent`), and what is forwarded has this one's: a
 * message's whole way is one trace. Without an SDK in the process no span is made.
 */
export function tracing({ stop, group, system }: TracedStop): Middleware {
  const tracer = trace.getTracer("metrobus");

  function begin({ record }: Visit, parent: Context): Span {
    const attributes = {
      "messaging.system": system,
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": record.topic,
      "messaging.destination.partition.id": record.lane,
      "messaging.kafka.offset": Number(record.position),
      "messaging.consumer.group.name": group,
    };
    return tracer.startSpan(`process ${stop}`, { kind: SpanKind.CONSUMER, attributes }, parent);
  }

  return (next) => (visit) => {
    const parent = propagation.extract(ROOT_CONTEXT, visit.record.headers, HEADERS);
    const span = begin(visit, parent);
    const inside = trace.setSpan(parent, span);
    const ended = (outcome: Outcome) => {
      end(span, visit, outcome);
      // A letter, and what is put off, keeps the message as it came.
      if (outcome.kind !== "dead" && outcome.kind !== "later") visit.out = visit.out.map((out) => traced(out, inside));
      return outcome;
    };
    const failed = (error: unknown): never => {
      // The record comes again, for whoever has the lane then.
      if (!(error instanceof LaneLost)) fail(span, asError(error));
      span.setAttribute("metrobus.outcome", "broken off").end();
      throw error;
    };
    try {
      const outcome = context.with(inside, next, undefined, visit);
      return isPromise(outcome) ? outcome.then(ended, failed) : ended(outcome);
    } catch (error) {
      return failed(error);
    }
  };
}

function end(span: Span, visit: Visit, outcome: Outcome): void {
  span.setAttributes({
    "messaging.message.id": visit.id,
    "metrobus.outcome": outcome.kind,
    "metrobus.attempts": visit.attempt,
    ...(outcome.kind === "drop" && { "metrobus.drop.reason": outcome.reason }),
    ...(visit.next !== undefined && { "metrobus.next": visit.next }),
  });
  if (outcome.kind === "dead" || outcome.kind === "later") fail(span, outcome.error);
  span.end();
}

function fail(span: Span, error: Error): void {
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}

/** The record with this context in its headers, in the place of the one it came with. */
function traced(out: Outgoing, inside: Context): Outgoing {
  const found: [string, Buffer][] = [];
  propagation.inject(inside, found, { set: (into, name, value) => void into.push([name, Buffer.from(value)]) });
  const names = new Set(found.map(([name]) => name));
  return { ...out, headers: [...out.headers.filter(([name]) => !names.has(name)), ...found] };
}

/** A record that is sent from within a span, as its child. */
export const inActiveSpan = (out: Outgoing): Outgoing => traced(out, context.active());

const HEADERS: TextMapGetter<RecordHeaders> = {
  keys: (headers) => headers.map(([name]) => name),
  get: (headers, wanted) => headers.find(([name]) => name === wanted)?.[1]?.toString(),
};
