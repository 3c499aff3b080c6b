import { MetroStop, type MetroBus } from "metrobus";
import { describe, expect, test } from "vitest";
import { line } from "../support/line.ts";
import { eventually, message } from "../support/probe.ts";

/** The same connection to a bus on which nobody creates the dead-letter topic. */
const withoutDeadLetters = (metro: MetroBus): MetroBus => ({
  ...metro,
  bus: { ...metro.bus, create: (specs) => metro.bus.create(specs.filter(({ topic }) => topic !== "Error")) },
});

describe("a dead letter that can't be written", () => {
  test("keeps a stop from being ready until it is written, or its partition belongs to somebody else", async () => {
    await using bus = await line({ METROBUS_PARTITIONS: "2" });
    const metro = withoutDeadLetters(bus.metro);
    const problems = (stop: MetroStop<never>) => stop.health().problems;
    const one = await bus.stop("A", () => null, { bus: metro });
    for (const key of ["a", "b", "c", "d", "e", "f"]) await metro.bus.send([message("A", key, "no message")]);
    await eventually(() => problems(one).length > 0);
    expect(problems(one)).toEqual([expect.stringContaining('topic "Error" does not exist')]);
    expect(one.health().ready).toBe(false);

    const other = await bus.stop("A", () => null, { bus: metro });
    await eventually(() => problems(other).length > 0);
    await bus.metro.bus.create([{ topic: "Error" }]);
    await eventually(() => one.health().ready && other.health().ready);
    expect((await bus.records("Error", 6)).length).toBe(6);
  });
});
