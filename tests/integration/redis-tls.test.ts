import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Unavailable } from "../../runtime/errors.ts";
import { redisStats } from "../../runtime/stats-stores/redis.ts";
import { newCertificate } from "../support/certificate.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";

const log = { debug: () => undefined };

describe.skipIf(inject("redis") === null)("Redis with TLS and a password (needs Docker)", () => {
  let redis: RedisServer;
  let ca: string;
  beforeAll(async () => {
    const { cert, key } = await newCertificate();
    ca = cert;
    redis = await startRedis({ cert, key, password: "pass:word" });
  });
  afterAll(() => redis.remove());

  const hit = async (url: string, authority: string | null) => {
    const store = redisStats({ url, ca: authority, log });
    const outcome: unknown = await store.hit().catch((error: unknown) => error);
    await store.close();
    return outcome;
  };

  test("is used when its authority is trusted and the password is right", async () => {
    expect(await hit(redis.url, ca)).toBe(1);
  });

  test("is refused when its authority is not trusted", async () => {
    const stranger = await newCertificate();
    for (const authority of [null, stranger.cert]) {
      const error = await hit(redis.url, authority);
      expect(error).toBeInstanceOf(Unavailable);
      expect((error as Unavailable).message).toMatch(/certificate/);
    }
  });

  test("refuses a wrong password, which no message shows", async () => {
    const error = await hit(redis.url.replace("pass:word", "guess"), ca);
    expect(error).toBeInstanceOf(Unavailable);
    expect((error as Unavailable).message).toMatch(/(WRONGPASS|invalid).*: correct the user and password in REDIS_URL/);
    expect((error as Unavailable).message).not.toContain("guess");
  });
});
