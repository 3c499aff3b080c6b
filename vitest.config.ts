import { defineConfig } from "vitest/config";

/** One project a kind of test. Those that need containers share one Kafka and one Redis per run (global-setup). */
const project = (name: string, extra: object = {}) => ({
  test: { name, include: [`tests/${name}/**/*.test.ts`], ...extra },
});
const withServers = { globalSetup: ["tests/support/global-setup.ts"], testTimeout: 120_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    projects: [
      project("unit"),
      project("contract", withServers),
      project("integration", withServers),
      project("faults", { ...withServers, testTimeout: 180_000, fileParallelism: false }),
      project("e2e", { testTimeout: 300_000, hookTimeout: 600_000, fileParallelism: false }),
    ],
  },
});
