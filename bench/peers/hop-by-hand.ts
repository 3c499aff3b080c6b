import type { KafkaMessage } from "kafkajs";

interface Envelope {
  header: { route: string[]; historical_route: string[] };
  payload: Record<string, unknown>;
}

/** What metrobus does for a message, without any of its care: parse, add one field, pop the route, stringify. */
export function hopByHand({ key, value }: KafkaMessage): {
  topic: string;
  message: { key: Buffer | null; value: string };
} {
  const { header, payload } = JSON.parse(value!.toString()) as Envelope;
  const topic = header.route.pop()!;
  header.historical_route.push(topic);
  return { topic, message: { key, value: JSON.stringify({ header, payload: { ...payload, seen: true } }) } };
}
