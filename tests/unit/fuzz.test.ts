import { expect, test } from "vitest";
import { fuzz } from "../fuzz/fuzz.ts";

test(
  "hostile records through the decoder and running stops: none crashes, hangs or pollutes, each is accounted for",
  { timeout: 180_000 },
  async () => {
    const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);
    const records = 6_000;
    const { outcomes } = await fuzz({ seed, records });
    expect(outcomes["read"]! + outcomes["malformed"]!, `seed ${seed}`).toBe(records);
    for (const outcome of ["forwarded", "dropped", "arrived", "dead"]) expect(outcomes[outcome]).toBeGreaterThan(0);
  },
);
