/** metrobus as it comes: every option has its default; counts go to Redis, logs to stderr. */
import { connect, MetroStop, type Settings } from "metrobus";
import { answer, setting } from "./answer.ts";

const { brokers, redis, topic, group, quiet } = setting;
const settings: Settings = { KAFKA_BROKERS: brokers, REDIS_URL: redis, LOG_FORMAT: "json" };
const connection = await connect(quiet ? { ...settings, LOG_LEVEL: "silent" } : settings);
const nothing = () => undefined;
const recorder = { ...connection.recorder, count: nothing, times: nothing };
const bus = quiet ? { ...connection, recorder } : connection;

answer();
await new MetroStop(topic, (message: object) => ({ ...message, seen: true }), { bus, group }).start();
