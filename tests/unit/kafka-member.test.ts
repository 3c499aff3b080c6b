import { expect, test } from "vitest";
import { clientFactory } from "../../runtime/buses/kafka/client.ts";
import { createMember } from "../../runtime/buses/kafka/member.ts";
import { loadConfig } from "../../runtime/config.ts";
import { createLogger } from "../../runtime/logger.ts";

const log = createLogger({ logLevel: "silent", logFormat: "json" });
const nothing = () => undefined;

test("a member whose client does not take its settings fails with the reason, and leaves no rejection behind", async () => {
  const { promise, resolve } = Promise.withResolvers<Error>();
  const events = { joined: nothing, fetched: nothing, reached: nothing, crashed: nothing, failed: resolve };
  const shorterThanBetweenHeartbeats = 0;
  const member = createMember(
    "group",
    "topic",
    shorterThanBetweenHeartbeats,
    clientFactory(loadConfig({}, {}), log),
    events,
    log,
  );
  expect((await promise).message).toContain("sessionTimeout");
  await member.leave();
});
