/** What a peer is started with: where the servers are, what to read, and as which consumer group. */
export interface PeerSetting {
  readonly brokers: string;
  readonly redis: string;
  readonly topic: string;
  readonly group: string;
}

export interface Usage {
  /** Since everything was loaded and `answer` was called. */
  readonly cpuSeconds: number;
  /** The most that it ever was. */
  readonly memoryMB: number;
}

export const setting = JSON.parse(process.argv[2]!) as PeerSetting;

/** Answers each question of the bench with what this process has used until now. */
export function answer(): void {
  const begun = process.cpuUsage();
  process.on("message", () => {
    const { user, system } = process.cpuUsage(begun);
    const memoryMB = process.resourceUsage().maxRSS / 1024;
    process.send!({ cpuSeconds: (user + system) / 1e6, memoryMB } satisfies Usage);
  });
  process.once("disconnect", () => process.exit());
}
