import { createRequire } from "node:module";
import { Kafka, logLevel } from "kafkajs";
import { expect, test } from "vitest";
import "../../runtime/buses/kafka/client-repairs.ts";

/** What kafkajs keeps to itself: the requests of one connection. */
interface RequestQueue {
  scheduleRequestTimeoutCheck(): void;
  push(request: object): void;
  destroy(): void;
}
type Make = new (options: object) => RequestQueue;
const RequestQueue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue/index.js") as Make;

const logger = new Kafka({ brokers: ["127.0.0.1:1"], logLevel: logLevel.NOTHING }).logger();
const limits = { requestTimeout: 1_000, enforceRequestTimeout: true };

function openQueue() {
  const queue = new RequestQueue({ logger, ...limits, clientId: "test", broker: "none", isConnected: () => true });
  queue.scheduleRequestTimeoutCheck();
  return queue;
}

let requests = 0;
/** To a broker that does not answer. */
function ask(queue: RequestQueue): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const entry = { apiKey: 3, apiName: "Metadata", apiVersion: 0, correlationId: requests++, resolve, reject };
    queue.push({ entry, expectResponse: true, sendRequest: () => undefined });
  });
}

test("a request that is under way when its connection is closed fails, and does not wait for ever", async () => {
  const queue = openQueue();
  const asked = ask(queue);
  queue.destroy();
  await expect(asked).rejects.toThrow("the connection was closed");
});

test("one that comes to a closed connection fails at once", async () => {
  const queue = openQueue();
  queue.destroy();
  await expect(ask(queue)).rejects.toThrow("the connection is being closed");
});

test("one that comes when it is open again times out as ever", async () => {
  const queue = openQueue();
  queue.destroy();
  queue.scheduleRequestTimeoutCheck();
  await expect(ask(queue)).rejects.toThrow("timed out");
  queue.destroy();
});
