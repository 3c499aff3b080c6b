/// <reference types="node" preserve="true" />
import "./node-version.ts";
export { MetroStop } from "./metro-stop.ts";
export type { StopOptions } from "./stop-options.ts";
export { connect, openStats, openTrips, type MetroBus, type SendOptions } from "./connect.ts";
export { bulkRuns } from "./bulk-runs.ts";
export type { BulkRequest, BulkRun, BulkRuns, BulkStart, RunProgress, RunState, RunStore } from "./bulk-runs.ts";
export { deadLetters } from "./dead-letters.ts";
export { exactJson } from "./exact-json.ts";
export type {
  Action,
  ActionReport,
  ActOptions,
  AuditPage,
  AuditPageOptions,
  DeadLetters,
  GroupsOptions,
  Letter,
  LetterCounts,
  LetterFilter,
  LetterGroup,
  LetterGroups,
  LetterPage,
  LetterPageOptions,
  LetterRun,
  LetterState,
  LetterTotals,
  LetterWorker,
  LoggedAction,
  Progress,
  ReplayChange,
} from "./dead-letters.ts";
export { routed, Dropped, Passed, Routed } from "./context.ts";
export type { RouteAhead, StopCallback, StopContext, StopResult } from "./context.ts";
export { loadConfig, type Config, type Settings } from "./config.ts";
export * from "./errors.ts";
export { hashPassword, signingKey, verifyingKey } from "./operator-hash.ts";
export type { Handler, Middleware } from "./middleware.ts";
export type { Outcome, Visit } from "./visit.ts";
export type { Claimed, ClaimRequest, OnceStore } from "./once-store.ts";
export type { Header } from "./envelope.ts";
export type {
  Batch,
  Bus,
  ConsumeOptions,
  Delivery,
  Instead,
  LaneState,
  Message,
  Outgoing,
  Received,
  Settled,
  Subscription,
  TopicSpec,
} from "./bus.ts";
export type {
  BreakerState,
  Buckets,
  Count,
  CountNow,
  Done,
  Flush,
  From,
  Instance,
  LanePresence,
  OutcomeKind,
  Pause,
  Presence,
  Did,
  Lately,
  Recent,
  Snapshot,
  StatsStore,
  Step,
  StopFlush,
  StopPresence,
  StopSnapshot,
} from "./stats-store.ts";
export { MAX_DETAILS, SPANS } from "./stats-store.ts";
export { hasFailed } from "./trip-store.ts";
export type { FailedVisit, Failures, Trip, TripStore, TripVisit } from "./trip-store.ts";
export { merge, quantile } from "./histogram.ts";
export { untilSignal } from "./signals.ts";
export type { StopHealth } from "./health.ts";
export { createLogger, type Logger } from "./logger.ts";
