import { describe, expect, inject, test } from "vitest";
import { start } from "../support/program.ts";
import { unique } from "../support/probe.ts";

describe.skipIf(!inject("kafka"))("starting on Kafka (needs Docker)", () => {
  test("a start that fails leaves nothing open: the process ends", async () => {
    const program = `
      import { MetroStop } from "metrobus";
      await new MetroStop("${unique("Nowhere")}", () => null).start().catch((error) => console.log(error.message));`;
    const settings = { METROBUS_BUS: "kafka", KAFKA_BROKERS: inject("kafka")!, METROBUS_STATS: "memory" };
    const { code, stdout } = await start([process.execPath, "--input-type=module", "-e", program], settings).ended;
    expect(stdout).toMatch(/topic ".*" does not exist/);
    expect(code).toBe(0);
  });
});
