import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { hashPassword } from "../../../../runtime/operator-hash.ts";
import { newCertificate } from "../../../support/certificate.ts";
import { cookieOf, guardedPage } from "../../../support/guarded-page.ts";

const PASSWORD = "correct horse battery";
const HOURS = 3_600_000;
const NOBODY = { name: null, by: null, mayAct: false, seesDetails: false };

let ann: string;
let bob: string;
beforeAll(async () => {
  const cheap = { log2N: 14, r: 8, p: 1 };
  [ann, bob] = (await Promise.all([1, 2].map(() => hashPassword(PASSWORD, cheap)))) as [string, string];
});
afterEach(() => void vi.useRealTimers());

const basic = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
});

describe("who has not logged in", () => {
  test("may not act, and sees no details", async () => {
    for (const settings of [{}, { WEB_OPERATORS: `ann:${ann}` }]) {
      await using page = await guardedPage(settings);
      expect((await page.ask("/")).body).toEqual(NOBODY);
      expect((await page.ask("/pause", { "sec-fetch-site": "same-origin" }, {})).body).toEqual(NOBODY);
    }
  });

  test("sees details where they are public, and may not act", async () => {
    await using page = await guardedPage({ WEB_PUBLIC_DETAILS: "true" });
    expect((await page.ask("/")).body).toEqual({ ...NOBODY, seesDetails: true });
  });

  test("is told so where there is nobody to log in as", async () => {
    await using page = await guardedPage({});
    const { status, body } = await page.ask("/log-in", {}, { name: "ann", password: PASSWORD });
    expect([status, body.error]).toEqual([403, "nobody can log in here: WEB_OPERATORS is not set"]);
  });
});

describe("who logs in", () => {
  test("may act, and sees details, until he logs out", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann},bob:${bob}` });
    const cookie = await page.logIn("bob", PASSWORD);
    expect((await page.ask("/", { cookie })).body).toEqual({
      name: "bob",
      by: "session",
      mayAct: true,
      seesDetails: true,
    });
    const left = await page.ask("/log-out", { cookie, "sec-fetch-site": "same-origin" }, {});
    expect(left.headers["set-cookie"]).toEqual(["metrobus=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"]);
    expect(page.logged).toEqual([
      { level: "info", operator: "bob", address: "127.0.0.1", text: "an operator has logged in" },
    ]);
  });

  test.each([
    ["ann", "another password"],
    ["ann", ""],
    ["eve", PASSWORD],
    ["", PASSWORD],
    ["__proto__", PASSWORD],
  ])("as %j with %j is refused in the same words, and gets no cookie", async (name, password) => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    const { status, body, headers } = await page.ask("/log-in", {}, { name, password });
    expect([status, body.error]).toEqual([401, "the name or the password is wrong"]);
    expect(headers).not.toHaveProperty("set-cookie");
    expect(headers).not.toHaveProperty("www-authenticate");
  });

  test("into the wrong field with his password does not have it in the log", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    await page.ask("/log-in", {}, { name: PASSWORD, password: PASSWORD });
    await page.ask("/log-in", {}, { name: "ann", password: "hunter2" });
    expect(page.logged.map(({ operator }) => operator)).toEqual(["(unknown)", "ann"]);
    expect(JSON.stringify(page.logged)).not.toMatch(/horse|hunter2/);
  });

  test("without a name or a password is told what is missing", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    for (const form of [{}, { name: "ann" }, { password: PASSWORD }])
      expect((await page.ask("/log-in", {}, form)).status).toBe(400);
  });
});

describe("a session", () => {
  test("is accepted by every page with the same operators, also after a restart", async () => {
    await using first = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    const cookie = await first.logIn("ann", PASSWORD);
    await using second = await guardedPage({ WEB_OPERATORS: `bob:${bob},ann:${ann}` });
    expect((await second.ask("/", { cookie })).body).toMatchObject({ name: "ann", by: "session" });
  });

  test("ends with the operator's hash: another one of the same password, somebody else's, or none", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    const cookie = await page.logIn("ann", PASSWORD);
    for (const operators of [`ann:${bob}`, `bob:${ann}`, `bob:${bob}`, ""]) {
      await using later = await guardedPage({ WEB_OPERATORS: operators });
      expect((await later.ask("/", { cookie })).body).toEqual(NOBODY);
    }
  });

  test("ends after 12 hours", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    vi.useFakeTimers({ toFake: ["Date"] });
    const cookie = await page.logIn("ann", PASSWORD);
    vi.setSystemTime(Date.now() + 12 * HOURS - 60_000);
    expect((await page.ask("/", { cookie })).body).toMatchObject({ name: "ann" });
    vi.setSystemTime(Date.now() + 60_000);
    expect((await page.ask("/", { cookie })).body).toEqual(NOBODY);
  });

  test("of which anything was changed is none", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann},bob:${bob}` });
    const [name, token] = (await page.logIn("ann", PASSWORD)).split("=") as [string, string];
    const [head, claims, signature] = token.split(".") as [string, string, string];
    const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const forged = [
      `${encoded({ alg: "Ed25519", kid: "bob" })}.${claims}.${signature}`,
      `${head}.${encoded({ aud: "metrobus", exp: 4e9 })}.${signature}`,
      `${encoded({ alg: "none", kid: "ann" })}.${claims}.`,
      `${encoded({ alg: "HS256", kid: "ann" })}.${claims}.${signature}`,
      `${head}.${claims}.${signature.replace(/^./, (first) => (first === "A" ? "B" : "A"))}`,
      `${head}.${claims}`,
      ann,
      "",
      "%",
    ];
    for (const other of forged) expect((await page.ask("/", { cookie: `${name}=${other}` })).body).toEqual(NOBODY);
    expect((await page.ask("/", { cookie: `a=b; ${name}=${token}` })).body).toMatchObject({ name: "ann" });
  });

  test("can't be made of the operator's hash, that others may read", async () => {
    const { SignJWT } = await import("jose");
    const claims = new SignJWT().setProtectedHeader({ alg: "HS256", kid: "ann" }).setAudience("metrobus");
    const key = Buffer.from(ann.split(".")[5]!, "base64url");
    const cookie = `metrobus=${await claims.setExpirationTime("1h").sign(key)}`;
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    expect((await page.ask("/", { cookie })).body).toEqual(NOBODY);
  });
});

describe("the cookie", () => {
  const attributes = "Max-Age=43200; Path=/; HttpOnly;";
  const setCookie = async (page: Awaited<ReturnType<typeof guardedPage>>, headers: Record<string, string>) =>
    (await page.ask("/log-in", { "sec-fetch-site": "same-origin", ...headers }, { name: "ann", password: PASSWORD }))
      .headers["set-cookie"]![0]!;

  test("is for this host only, and no script's", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    expect(await setCookie(page, {})).toMatch(new RegExp(`^metrobus=[\\w.-]+; ${attributes} SameSite=Strict$`));
    const spoofed = await setCookie(page, { "x-forwarded-proto": "https" });
    expect(spoofed).not.toContain("Secure");
  });

  test("is secure behind a proxy that speaks TLS, and then none without TLS counts", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}`, WEB_TRUST_PROXY: "127.0.0.1" });
    const https = { "x-forwarded-proto": "https" };
    const set = await setCookie(page, https);
    expect(set).toMatch(new RegExp(`^__Host-metrobus=[\\w.-]+; ${attributes} Secure; SameSite=Strict$`));
    const cookie = set.split(";")[0]!;
    expect((await page.ask("/", { cookie, ...https })).body).toMatchObject({ name: "ann" });
    expect((await page.ask("/", { cookie: cookie.replace("__Host-", ""), ...https })).body).toEqual(NOBODY);
    expect(await setCookie(page, {})).not.toContain("Secure");
  });

  test("is secure where the page itself speaks TLS", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` }, await newCertificate());
    const answer = await page.ask("/log-in", {}, { name: "ann", password: PASSWORD });
    expect(answer.headers["set-cookie"]![0]).toContain("; Secure;");
    expect((await page.ask("/", { cookie: cookieOf(answer) })).body).toMatchObject({ name: "ann" });
  });
});

describe("a program", () => {
  test("gives its name and password with each request to the API, and may act", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    const who = { name: "ann", by: "basic", mayAct: true, seesDetails: true };
    expect((await page.ask("/api/v1/stops", basic("ann", PASSWORD))).body).toEqual(who);
    expect((await page.ask("/api/v1/stops/A/pause", basic("ann", PASSWORD), {})).body).toEqual(who);
  });

  test("with a wrong password is told so, and gets no challenge, which a browser would show as its own window", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    const { status, headers } = await page.ask("/api/v1/stops", basic("ann", "another password"));
    expect(status).toBe(401);
    expect(headers).not.toHaveProperty("www-authenticate");
  });

  test("has a password of any characters, also after it was used once", async () => {
    const password = "Zug: nach Köln 🚋";
    const hash = await hashPassword(password, { log2N: 14, r: 8, p: 1 });
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${hash}` });
    for (const given of [password, password, password.normalize("NFD")])
      expect((await page.ask("/api/v1/stops", basic("ann", given))).status).toBe(200);
    expect((await page.ask("/api/v1/stops", basic("ann", `${password} `))).status).toBe(401);
  });

  test.each(["Basic", "Basic !", "Basic YW5u", "Bearer YW5uOmFubg==", "basic  "])(
    "that sends Authorization: %s has not logged in",
    async (authorization) => {
      await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
      expect((await page.ask("/api/v1/stops", { authorization })).body).toEqual(NOBODY);
    },
  );

  test("a log-in that is meant for a proxy in front is left alone: outside of the API, or where nobody can log in", async () => {
    await using page = await guardedPage({ WEB_OPERATORS: `ann:${ann}` });
    expect((await page.ask("/", basic("proxy", "proxy"))).body).toEqual(NOBODY);
    await using open = await guardedPage({});
    expect((await open.ask("/api/v1/stops", basic("proxy", "proxy"))).body).toEqual(NOBODY);
  });
});
