import { beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../../runtime/operator-hash.ts";
import { guardedPage } from "../../../support/guarded-page.ts";

const PASSWORD = "correct horse battery";
const NOBODY = { name: null, by: null, mayAct: false, seesDetails: false };
const HERE = { WEB_TRUST_HEADER: "X-Forwarded-User", WEB_TRUST_PROXY: "127.0.0.1" };

let ann: string;
beforeAll(async () => void (ann = await hashPassword(PASSWORD, { log2N: 14, r: 8, p: 1 })));

describe("the name that a proxy gives", () => {
  test.each(["127.0.0.1", "10.0.0.1, 127.0.0.0/8", "::1,127.0.0.1/32", "::ffff:127.0.0.1"])(
    "is believed from an address in WEB_TRUST_PROXY=%s",
    async (WEB_TRUST_PROXY) => {
      await using page = await guardedPage({ ...HERE, WEB_TRUST_PROXY });
      const who = { name: "ann", by: "proxy", mayAct: true, seesDetails: true };
      expect((await page.ask("/", { "x-forwarded-user": "ann" })).body).toEqual(who);
      expect((await page.ask("/")).body).toEqual(NOBODY);
      expect((await page.ask("/", { "x-forwarded-user": "" })).body).toEqual(NOBODY);
    },
  );

  test.each(["10.0.0.1", "128.0.0.0/1", "::1, fe80::/10"])(
    "is ignored from others, as with WEB_TRUST_PROXY=%s, and the log says so, once",
    async (WEB_TRUST_PROXY) => {
      await using page = await guardedPage({ ...HERE, WEB_TRUST_PROXY });
      const claims = { "x-forwarded-user": "ann", "x-forwarded-for": "10.0.0.1" };
      for (const path of ["/", "/again"]) expect((await page.ask(path, claims)).body).toEqual(NOBODY);
      expect(page.logged).toMatchObject([
        { level: "warn", address: expect.stringMatching(/127\.0\.0\.1$/), header: "x-forwarded-user" },
      ]);
    },
  );

  test("is ignored when none is to be believed", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}`, WEB_TRUST_PROXY: "127.0.0.1" });
    expect((await page.ask("/", { "x-forwarded-user": "ann" })).body).toEqual(NOBODY);
  });

  test("is one: a header that comes twice, as when a visitor sends one too, is refused", async () => {
    await using page = await guardedPage(HERE);
    for (const name of [["eve", "ann"], "a".repeat(201)])
      expect((await page.ask("/", { "x-forwarded-user": name })).status).toBe(400);
  });

  test("may have any characters", async () => {
    await using page = await guardedPage(HERE);
    const sent = Buffer.from("Jürgen Weiß").toString("latin1");
    expect((await page.ask("/", { "x-forwarded-user": sent })).body.name).toBe("Jürgen Weiß");
  });

  test("goes before a session and HTTP Basic, which is the proxy's then", async () => {
    await using page = await guardedPage({ ...HERE, WEB_OPERATORS: `ann:${ann}` });
    const cookie = await page.logIn("ann", PASSWORD);
    expect((await page.ask("/", { cookie })).body).toMatchObject({ name: "ann", by: "session" });
    const authorization = `Basic ${Buffer.from("bob:hunter2").toString("base64")}`;
    const both = { cookie, authorization, "x-forwarded-user": "bob" };
    expect((await page.ask("/api/v1/stops", both)).body).toMatchObject({ name: "bob", by: "proxy" });
  });
});
