import type { KafkaMessage, Message, TopicMessages } from "kafkajs";

export interface Envelope {
  header: { route: string[]; historical_route: string[] };
  payload: Record<string, unknown>;
}

/** What a stop does with a message: add one field, pop the route. */
export function hop({ header, payload }: Envelope): { topic: string; value: Envelope } {
  const topic = header.route.pop()!;
  header.historical_route.push(topic);
  return { topic, value: { header, payload: { ...payload, seen: true } } };
}

/** What metrobus does for a message, without any of its care: parse, add one field, pop the route, stringify. */
export function hopByHand({ key, value }: KafkaMessage): {
  topic: string;
  message: { key: Buffer | null; value: string };
} {
  const out = hop(JSON.parse(value!.toString()) as Envelope);
  return { topic: out.topic, message: { key, value: JSON.stringify(out.value) } };
}

/** The same for a batch, as `sendBatch` takes it. */
export function batchByHand(batch: readonly KafkaMessage[]): TopicMessages[] {
  const byTopic = new Map<string, Message[]>();
  for (const each of batch) {
    const { topic, message } = hopByHand(each);
    const others = byTopic.get(topic);
    if (others) others.push(message);
    else byTopic.set(topic, [message]);
  }
  return Array.from(byTopic, ([topic, messages]) => ({ topic, messages }));
}
