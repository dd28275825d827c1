import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { KnownKeys } from "../../../../client/proxy/scram/known-keys.ts";
import { saslprep } from "../../../../client/proxy/scram/saslprep.ts";
import { ScramClient, type ScramLogin } from "../../../../client/proxy/scram/scram-client.ts";
import { ScramFailure } from "../../../../client/proxy/scram/scram-failure.ts";
import { scramKeys } from "../../../../client/proxy/scram/scram-keys.ts";
import { makeScramServer, ScramExchange } from "../../../../client/proxy/scram/scram-server.ts";
import { saslInitialResponse } from "../../../../client/proxy/wire/messages.ts";
import { Secret } from "../../../../core/secret.ts";

/** RFC 7677 section 3. */
const RFC = {
  password: new Secret("pencil"),
  salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
  nonce: "rOprNGfwEbeRWgbNEkqO",
  serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverFirst:
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  final:
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

const client = (changed: Partial<ScramLogin> = {}): ScramClient =>
  new ScramClient({
    username: "user",
    password: RFC.password,
    mechanisms: ["SCRAM-SHA-256"],
    channelBinding: undefined,
    nonce: RFC.nonce,
    known: new KnownKeys(),
    ...changed,
  });

const initial = (text: string, mechanism = "SCRAM-SHA-256"): Buffer =>
  saslInitialResponse(mechanism, text).subarray(5);

async function exchange(): Promise<ScramExchange> {
  const keys = await scramKeys(RFC.password, Buffer.from(RFC.salt, "base64"), 4_096);
  return new ScramExchange({ keys, salt: RFC.salt, nonce: RFC.serverNonce });
}

test("the client says what RFC 7677 says, and accepts its server", async () => {
  const scram = client();
  expect(scram.first).toBe(RFC.first);
  expect(await scram.final(RFC.serverFirst)).toBe(RFC.final);
  scram.verify(RFC.serverFinal);
});

test("the server says what RFC 7677 says", async () => {
  const scram = await exchange();
  expect(scram.first(initial(RFC.first))).toBe(RFC.serverFirst);
  expect(scram.final(Buffer.from(RFC.final))).toBe(RFC.serverFinal);
});

describe("a client", () => {
  const binding = randomBytes(32);

  test.each([
    ["both, over TLS", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], binding, "PLUS", "p=tls-server"],
    ["PLUS alone, over TLS", ["SCRAM-SHA-256-PLUS"], binding, "PLUS", "p=tls-server-end-point,,"],
    ["no PLUS, over TLS", ["SCRAM-SHA-256"], binding, "SHA-256", "y,,n="],
    ["both, unbindable", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], undefined, "SHA-256", "n,,n="],
  ])("offered %s, takes the best", (_, mechanisms, channelBinding, end, header) => {
    const scram = client({ mechanisms, channelBinding });
    expect(scram.mechanism.endsWith(end)).toBe(true);
    expect(scram.first.startsWith(header)).toBe(true);
  });

  test.each([[["SCRAM-SHA-1"]], [["SCRAM-SHA-256-PLUS"]], [["OAUTHBEARER"]], [[]]])(
    "offered %j without TLS, refuses",
    (mechanisms) => {
      expect(() => client({ mechanisms })).toThrow(ScramFailure);
    },
  );

  test("binds the certificate's hash", async () => {
    const scram = client({ mechanisms: ["SCRAM-SHA-256-PLUS"], channelBinding: binding });
    const [, bound = ""] = /^c=([^,]+),/.exec(await scram.final(RFC.serverFirst)) ?? [];
    expect(Buffer.from(bound, "base64")).toEqual(
      Buffer.concat([Buffer.from("p=tls-server-end-point,,"), binding]),
    );
  });

  test("escapes the user's name", () => {
    expect(client({ username: "a=b,c" }).first).toBe(`n,,n=a=3Db=2Cc,r=${RFC.nonce}`);
  });

  test.each([
    ["another nonce", `r=${randomBytes(18).toString("base64")},s=${RFC.salt},i=4096`, /nonce/],
    ["no nonce of its own", `r=${RFC.nonce},s=${RFC.salt},i=4096`, /nonce/],
    ["few iterations", RFC.serverFirst.replace("4096", "4095"), /asks for 4095 SCRAM iterations/],
    ["many iterations", RFC.serverFirst.replace("4096", "1000001"), /1000001 SCRAM iterations/],
    ["endless iterations", RFC.serverFirst.replace("4096", "99999999999"), /malformed/],
    ["an extension", `m=x,${RFC.serverFirst}`, /malformed/],
    ["an error", "e=other-error", /malformed/],
    ["nothing", "", /malformed/],
  ])("refuses a server that says %s", async (_, serverFirst, reason) => {
    await expect(client().final(serverFirst)).rejects.toThrow(reason);
  });

  test.each([
    ["another signature", `v=${Buffer.alloc(32, 1).toString("base64")}`, /does not know/],
    ["a short signature", `v=${Buffer.alloc(31).toString("base64")}`, /malformed/],
    ["an error", "e=invalid-proof", /malformed/],
    ["nothing", "", /malformed/],
  ])("refuses a server that ends with %s", async (_, serverFinal, reason) => {
    const scram = client();
    await scram.final(RFC.serverFirst);
    expect(() => scram.verify(serverFinal)).toThrow(reason);
  });

  test("refuses a signature before it has proved anything", () => {
    expect(() => client().verify(RFC.serverFinal)).toThrow(ScramFailure);
  });
});

describe("a server", () => {
  test.each(["n,,", "y,,"])("lets in who knows the password, with %s", async (header) => {
    const scram = await makeScramServer(RFC.password, randomBytes);
    const { mechanisms } = scram;
    const [theirs, ours] = [
      client({ mechanisms, channelBinding: header === "y,," ? randomBytes(32) : undefined }),
      scram.begin(),
    ];
    expect(theirs.first.startsWith(header)).toBe(true);
    const final = await theirs.final(ours.first(initial(theirs.first)));
    theirs.verify(ours.final(Buffer.from(final)));
  });

  test("refuses a wrong password", async () => {
    const scram = await makeScramServer(new Secret("pencil2"), randomBytes);
    const [theirs, ours] = [client(), scram.begin()];
    const final = await theirs.final(ours.first(initial(theirs.first)));
    expect(() => ours.final(Buffer.from(final))).toThrow("wrong password");
  });

  test("refuses a final message that was recorded in another exchange", async () => {
    const scram = await makeScramServer(RFC.password, randomBytes);
    const [theirs, ours, other] = [client(), scram.begin(), scram.begin()];
    const final = await theirs.final(ours.first(initial(theirs.first)));
    other.first(initial(theirs.first));
    expect(() => other.final(Buffer.from(final))).toThrow("not of this exchange");
    expect(() => scram.begin().final(Buffer.from(final))).toThrow("not of this exchange");
  });

  test.each([
    ["channel binding", initial(RFC.first.replace("n,,", "p=tls-unique,,"))],
    ["another user's rights", initial(RFC.first.replace("n,,", "n,a=admin,"))],
    ["another mechanism", initial(RFC.first, "SCRAM-SHA-1")],
    ["a mandatory extension", initial(`${RFC.first},m=x`)],
    ["nothing", Buffer.alloc(0)],
    ["a wrong length", Buffer.concat([initial(RFC.first), Buffer.of(0)])],
    ["a length of −1", Buffer.from("SCRAM-SHA-256\0\xff\xff\xff\xff", "latin1")],
    ["a kilobyte", initial(`n,,n=${"u".repeat(1_024)},r=abc`)],
  ])("refuses a first message with %s", async (_, body) => {
    const scram = await exchange();
    expect(() => scram.first(body)).toThrow(ScramFailure);
  });

  test.each([
    ["another binding", RFC.final.replace("c=biws", "c=eSws")],
    ["another nonce", RFC.final.replace("NGfw", "NGfx")],
    ["a short proof", RFC.final.replace(/p=.*/, "p=AAAA")],
    ["another proof", RFC.final.replace("p=dHzb", "p=dHzc")],
    ["nothing", ""],
  ])("refuses a final message with %s", async (_, text) => {
    const scram = await exchange();
    scram.first(initial(RFC.first));
    expect(() => scram.final(Buffer.from(text))).toThrow(ScramFailure);
  });
});

test("keys are computed once a password, and few are kept", async () => {
  const known = new KnownKeys();
  const source = { username: "u", password: RFC.password, salt: randomBytes(8), iterations: 4_096 };
  const first = known.of(source);
  expect(known.of({ ...source })).toBe(first);
  const others = [
    { ...source, username: "v" },
    { ...source, password: new Secret("pen") },
    { ...source, salt: randomBytes(8) },
    { ...source, iterations: 4_097 },
  ];
  for (const other of others) expect(known.of(other)).not.toBe(first);
  await Promise.all(
    Array.from({ length: 80 }, (_, n) => known.of({ ...source, iterations: n + 1 })),
  );
  expect(known.size).toBe(64);
  expect(known.of(source)).not.toBe(first);
});

test.each([
  ["pencil", "pencil"],
  ["I\u00adX", "IX"],
  ["\u00aa", "a"],
  ["\u2168", "IX"],
  ["a\u00a0b", "a b"],
])("%j is prepared as %j", (password, prepared) => {
  expect(saslprep(password)).toBe(prepared);
});
