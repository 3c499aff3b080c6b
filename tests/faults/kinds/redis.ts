import { docker } from "../../support/docker.ts";
import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { waitFor } from "../patience.ts";

export const redis: Record<string, Fault> = {
  "Redis killed": { run: (line) => away(line, "kill", "start") },
  "Redis hung": { run: (line) => away(line, "pause", "unpause") },
};

/** Messages travel all the way while Redis is gone; what every process has counted is there afterwards. */
async function away(line: Line, leave: "kill" | "pause", come: "start" | "unpause"): Promise<void> {
  const { container } = line.cluster.redis;
  await docker(leave, container);
  try {
    const told = () =>
      line.processes().every(({ log }) => log.some(({ msg }) => msg.startsWith("counts can't be written")));
    await waitFor(told, 60, () => "every process to tell that its counts can't be written");
    await line.recovered();
  } finally {
    await docker(come, container);
  }
  const again = () =>
    line.processes().every(({ log }) => log.some(({ msg }) => msg.startsWith("counts are written again")));
  await waitFor(again, 60, () => "every process to tell that its counts are written again");
}
