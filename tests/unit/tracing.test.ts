import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import type { StopContext } from "metrobus";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { line } from "../support/line.ts";
import { eventually } from "../support/probe.ts";

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const mine = provider.getTracer("tests");

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
});
beforeEach(() => exporter.reset());
afterAll(() => provider.shutdown());

const on = { METROBUS_TRACING: "on" };
const spans = async (count: number) => {
  await eventually(() => exporter.getFinishedSpans().length >= count);
  const found = new Map(exporter.getFinishedSpans().map((span) => [span.name, span]));
  return (name: string): ReadableSpan => found.get(name)!;
};
const parentOf = ({ parentSpanContext }: ReadableSpan) => parentSpanContext?.spanId;

test("a message's way is one trace, from whoever sends it through its stops to the end; callees are part of it", async () => {
  await using bus = await line(on);
  const call = async (payload: object) => mine.startActiveSpan("call", (span) => (span.end(), payload));
  await bus.stop("A", call);
  await bus.stop("B", call);
  await bus.stop("C", () => null);
  await mine.startActiveSpan("request", async (span) => {
    await bus.metro.send("A", { n: 1 }, { route: ["B", "C"], headers: { mine: "1", traceparent: "an old one" } });
    span.end();
  });
  const span = await spans(6);
  const id = (name: string) => span(name).spanContext().spanId;
  expect(new Set(exporter.getFinishedSpans().map((each) => each.spanContext().traceId)).size).toBe(1);
  expect(["process A", "process B", "process C", "call"].map((name) => parentOf(span(name)))).toEqual([
    id("request"),
    id("process A"),
    id("process B"),
    id("process B"),
  ]);
  expect(span("process B")).toMatchObject({
    kind: SpanKind.CONSUMER,
    attributes: {
      "messaging.system": "memory",
      "messaging.operation.type": "process",
      "messaging.destination.name": "B",
      "messaging.destination.partition.id": "0",
      "messaging.kafka.offset": 0,
      "messaging.consumer.group.name": "metrobus.B",
      "messaging.message.id": expect.stringMatching(/^[0-9a-f-]{36}$/),
      "metrobus.outcome": "forward",
      "metrobus.attempts": 1,
      "metrobus.next": "C",
    },
  });
  expect(span("process C").attributes).toMatchObject({ "metrobus.outcome": "drop" });
  const [arrived] = await bus.records("C", 1);
  expect(arrived!.headers.map(([name]) => name)).toEqual(["mine", "traceparent"]);
});

test("a message that fails has one span with all its attempts, an error, and its letter has the headers it came with", async () => {
  await using bus = await line(on);
  const failing = (): never => {
    throw new TypeError("no such account");
  };
  await bus.stop("A", failing, { retries: { attempts: 2, baseMs: 0 } });
  await bus.metro.send("A", {}, { route: [] });
  const span = (await spans(1))("process A");
  expect(span.status).toEqual({ code: SpanStatusCode.ERROR, message: "no such account" });
  expect(span.events.map(({ attributes }) => attributes?.["exception.type"])).toEqual(["TypeError"]);
  expect(span.attributes).toMatchObject({ "metrobus.outcome": "dead", "metrobus.attempts": 2 });
  const [letter] = await bus.records("Error", 1);
  expect(letter!.headers.map(([name]) => name)).not.toContain("traceparent");
});

test("forks of a message that is dropped are part of its trace", async () => {
  await using bus = await line(on);
  await bus.stop("A", (payload: object, context: StopContext) => (context.fork(payload, ["B"]), null));
  await bus.stop("B", () => null);
  await bus.metro.send("A", {}, { route: [] });
  const span = await spans(2);
  expect(parentOf(span("process B"))).toBe(span("process A").spanContext().spanId);
});

test("is off unless it is wanted: no span, and a traceparent travels as it came", async () => {
  await using bus = await line();
  await bus.stop("A", (payload: object) => payload);
  await bus.metro.bus.create([{ topic: "B" }]);
  await mine.startActiveSpan("request", async (span) => {
    await bus.metro.send("A", {}, { route: ["B"], headers: { traceparent: "theirs" } });
    span.end();
  });
  const [arrived] = await bus.records("B", 1);
  expect(arrived!.headers.map(([name, value]) => [name, String(value)])).toEqual([["traceparent", "theirs"]]);
  expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(["request"]);
});
