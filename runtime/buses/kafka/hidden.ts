/** The key of what kafkajs 2.2.4 keeps to itself, on an object of its or on a prototype: `Kafka:createCluster`. */
export const hidden = (on: object, name: string): symbol =>
  Object.getOwnPropertySymbols(on).find(({ description }) => description === `private:${name}`)!;
