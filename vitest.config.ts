import { defineConfig } from "vitest/config";

/** One project a kind of test, one after the other. Those that need containers share one Kafka and one Redis per run (global-setup). */
const project = (name: string, groupOrder: number, extra: object = {}) => ({
  test: { name, include: [`tests/${name}/**/*.test.ts`], sequence: { groupOrder }, ...extra },
});
const withServers = { globalSetup: ["tests/support/global-setup.ts"], testTimeout: 120_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    projects: [
      project("unit", 0, { testTimeout: 30_000 }),
      project("contract", 1, withServers),
      project("integration", 2, withServers),
      project("faults", 3, { ...withServers, testTimeout: 600_000, fileParallelism: false }),
      project("e2e", 4, { testTimeout: 300_000, hookTimeout: 600_000, fileParallelism: false }),
    ],
  },
});
