import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { row, type Measure } from "../measure.ts";

interface Load {
  readonly accounts: number;
  readonly loadMs: number;
  readonly peakRssMb: number;
}

/** The data of the stop contactpoint. */
export const accounts: Measure = {
  name: "accounts",
  run({ say }) {
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(import.meta.dirname, "../accounts-load.ts")]);
    if (status !== 0) {
      say(`left out: ${/MetrobusError: (.*)/.exec(String(stderr))?.[1] ?? String(stderr)}`);
      return Promise.resolve({ rows: [] });
    }
    const loaded = JSON.parse(String(stdout).trimEnd().split("\n").at(-1)!) as Load;
    const what = `contactpoint loads its ${loaded.accounts.toLocaleString("en")} accounts`;
    const rows = [row(`${what}: time`, "ms", [loaded.loadMs]), row(`${what}: memory`, "MB", [loaded.peakRssMb])];
    return Promise.resolve({ rows });
  },
};
