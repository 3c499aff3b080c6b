import { expect, test } from "vitest";
import { checkVersion } from "../../runtime/buses/kafka/group-requests.ts";

const versions = (offsetFetch: number, txnOffsetCommit: number) => ({
  versions: { 9: { maxVersion: offsetFetch }, 28: { maxVersion: txnOffsetCommit } },
});

test("a broker that is too old for exactly-once is told, with the remedy", () => {
  expect(() => checkVersion(versions(6, 3))).toThrow(
    "delivery exactly-once needs Kafka 2.5 or newer: update the brokers, or use METROBUS_DELIVERY=at-least-once",
  );
  expect(() => checkVersion(versions(7, 2))).toThrow("Kafka 2.5");
  expect(() => checkVersion(versions(7, 3))).not.toThrow();
});
