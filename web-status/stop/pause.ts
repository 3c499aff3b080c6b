import { stopHref } from "../links.ts";
import { z } from "zod";
import type { StatsStore } from "metrobus";
import { deed, type Deed } from "../resource.ts";

const body = z.object({ stop: z.string().min(1).max(249) });
const answer = z.object({ stop: z.string(), paused: z.boolean() });
const next = (_: object, { stop }: z.output<typeof body>): string => stopHref("", stop);

/** All instances of a stop hold its messages, within a second or so. */
export const pauseStop = (stats: StatsStore): Deed =>
  deed({
    path: "/stops/:stop/pause",
    summary: "All instances of the stop hold its messages",
    body,
    answer,
    next,
    async run({ stop }, by) {
      await stats.pause(stop, by);
      return { stop, paused: true };
    },
  });

export const resumeStop = (stats: StatsStore): Deed =>
  deed({
    path: "/stops/:stop/resume",
    summary: "They go on",
    body,
    answer,
    next,
    async run({ stop }) {
      await stats.resume(stop);
      return { stop, paused: false };
    },
  });
