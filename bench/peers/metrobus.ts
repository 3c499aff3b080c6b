/** metrobus as it comes: every option has its default; counts go to Redis, logs to stderr. */
import { connect, MetroStop } from "metrobus";
import { answer, setting } from "./answer.ts";

const { brokers, redis, topic, group } = setting;
const bus = await connect({ KAFKA_BROKERS: brokers, REDIS_URL: redis, LOG_FORMAT: "json" });

answer();
await new MetroStop(topic, (message: object) => ({ ...message, seen: true }), { bus, group }).start();
