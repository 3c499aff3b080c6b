/** NestJS's Kafka transport, as its documentation has it; decorators are written as calls, which Node can run unbuilt. */
import "reflect-metadata";
import { Controller, Inject, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import {
  ClientsModule,
  Ctx,
  EventPattern,
  Payload,
  Transport,
  type ClientKafka,
  type KafkaContext,
  type MicroserviceOptions,
} from "@nestjs/microservices";
import { lastValueFrom } from "rxjs";
import { answer, setting } from "./answer.ts";
import { hop, type Envelope } from "./hop-by-hand.ts";

const client = { brokers: [setting.brokers] };

class HopController {
  readonly client: ClientKafka;

  constructor(out: ClientKafka) {
    this.client = out;
  }

  /** The transport has parsed the message, and writes what it is given as JSON. */
  async handle(envelope: Envelope, context: KafkaContext): Promise<void> {
    const { topic, value } = hop(envelope);
    await lastValueFrom(this.client.emit(topic, { key: context.getMessage().key, value }));
  }
}
const handle = Object.getOwnPropertyDescriptor(HopController.prototype, "handle")!;
Payload()(HopController.prototype, "handle", 0);
Ctx()(HopController.prototype, "handle", 1);
EventPattern(setting.topic)(HopController.prototype, "handle", handle);
Inject("OUT")(HopController, undefined, 0);
Controller()(HopController);

// oxlint-disable-next-line typescript/no-extraneous-class -- NestJS takes its modules as classes.
class HopModule {}
const out = { name: "OUT", transport: Transport.KAFKA, options: { client, producerOnlyMode: true } } as const;
Module({ imports: [ClientsModule.register([out])], controllers: [HopController] })(HopModule);

answer();
const app = await NestFactory.createMicroservice<MicroserviceOptions>(HopModule, {
  transport: Transport.KAFKA,
  options: { client, consumer: { groupId: setting.group }, subscribe: { fromBeginning: true } },
  logger: ["error"],
});
await app.listen();
