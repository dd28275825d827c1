import { createServer, type Server } from "node:net";
import { TLSSocket } from "node:tls";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { base32 } from "../../../core/base32.ts";
import { DatabaseUnavailableError, StatementRejectedError } from "../../../core/errors.ts";
import { formatLeaseName, NO_KEY } from "../../../core/leases/lease-name.ts";
import { judgeConnections, judgeLeases } from "../../../lambda/postgres/doctor/capacity.ts";
import { entryOf } from "../../../lambda/postgres/doctor/postgres-doctor.ts";
import { judgeReplay } from "../../../lambda/postgres/doctor/reader-state.ts";
import {
  judgeCertificate,
  readCertificate,
} from "../../../lambda/postgres/doctor/server-certificate.ts";
import { judgeVersion } from "../../../lambda/postgres/doctor/server-version.ts";

const DAY = 86_400_000;

describe("a janitor that cannot connect", () => {
  const at = { database: "orders", owner: "app_owner", role: "janitor" };
  test.each([
    [new StatementRejectedError("connect", "42501"), "broken", /GRANT CONNECT/i],
    [new StatementRejectedError("connect", "28P01"), "broken", /mayfly converge/],
    [new DatabaseUnavailableError("(53300)"), "unknown", /max_connections/],
  ])("%s", (error, verdict, says) => {
    const found = entryOf(error, at);
    expect(found.verdict).toBe(verdict);
    expect(JSON.stringify(found.fix)).toMatch(says);
  });
});

describe("the version of a server", () => {
  test.each([
    [180_004, "ok"],
    [140_023, "ok"],
    [180_003, "warning"],
    [160_013, "warning"],
    [190_000, "warning"],
    [130_023, "broken"],
  ] as const)("%i is %s", (version, verdict) => {
    const found = judgeVersion(version);
    expect(found.verdict).toBe(verdict);
    expect(found.fix === undefined).toBe(verdict === "ok");
  });

  test("names the flaw and the version without it", () => {
    expect(judgeVersion(170_009)).toMatchObject({
      evidence: expect.stringContaining("CVE-2026-6473"),
      fix: { kind: "step", text: expect.stringContaining("17.10") },
    });
  });
});

describe("the leases of a database", () => {
  const role = { maxLeases: 10 } as Parameters<typeof judgeLeases>[0]["roles"][string];
  const plan = { tag: "abcd", shards: 2, roles: { readonly: role } };
  const names = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, n) =>
      formatLeaseName({
        tag: "abcd",
        role: "readonly",
        consumer: "app",
        digest: NO_KEY,
        shard: 0,
        random: base32(Buffer.from(String(n).padStart(12, "0")), 12),
      }),
    );

  test("leases of others and roles of Mayfly do not count", () => {
    const [found] = judgeLeases(plan, ["mf_abcd_group_readonly", "postgres"], 180_004);
    expect(found).toMatchObject({ verdict: "ok", evidence: expect.stringMatching(/^0 leases/) });
  });

  test.each([
    [8, "ok"],
    [9, "warning"],
    [10, "broken"],
  ] as const)("%i of 10 are %s", (count, verdict) => {
    expect(judgeLeases(plan, names(count), 180_004)[0]?.verdict).toBe(verdict);
  });

  test("from 16 on an issuer role has a budget", () => {
    const roomy = { ...plan, roles: { readonly: { ...role, maxLeases: 100_000 } } };
    expect(judgeLeases(roomy, names(701), 150_018)[0]?.verdict).toBe("ok");
    expect(judgeLeases(roomy, names(700), 160_014)[0]?.verdict).toBe("ok");
    expect(judgeLeases(roomy, names(701), 160_014)[0]).toMatchObject({
      verdict: "warning",
      subject: "issuer role aa",
      fix: { text: "set shards to 4 and deploy" },
    });
  });
});

describe("the connections of a server", () => {
  const seen = { max: 100, available: 97, others: 10, open: 20, limits: 60, logins: 3 };

  test("what fits is fine", () => {
    expect(judgeConnections(seen).verdict).toBe("ok");
    expect(judgeConnections({ ...seen, limits: 87 }).verdict).toBe("ok");
  });

  test("more than there are is a warning, and the step says how many", () => {
    expect(judgeConnections({ ...seen, limits: 88 })).toMatchObject({
      verdict: "warning",
      fix: { text: expect.stringContaining("set max_connections to 101") },
    });
  });

  test("nearly none left is broken", () => {
    expect(judgeConnections({ ...seen, open: 90 })).toMatchObject({ verdict: "broken" });
  });
});

describe("a reader", () => {
  test.each([
    [{ replica: true, paused: false, behind: 3 }, "ok", "3 s behind"],
    [{ replica: true, paused: false, behind: null }, "ok", "does not say"],
    [{ replica: true, paused: false, behind: 60 }, "warning", "60 s behind"],
    [{ replica: true, paused: true, behind: 5 }, "broken", "paused, for 5 s"],
    [{ replica: false, paused: false, behind: null }, "broken", "not a replica"],
  ] as const)("that says %j is %s", (replay, verdict, evidence) => {
    const found = judgeReplay("replica:5432", replay);
    expect(found.verdict).toBe(verdict);
    expect(found.evidence).toContain(evidence);
  });
});

describe("a certificate", () => {
  let server: Server;
  let ends: Date;
  let pem: string;
  const answer = { tls: true };

  beforeAll(async () => {
    ends = new Date(Date.now() + 20 * DAY);
    const made = await generate([{ name: "commonName", value: "127.0.0.1" }], {
      notAfterDate: ends,
      keySize: 2048,
      extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
    });
    pem = made.cert;
    server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write(answer.tls ? "S" : "N");
        if (!answer.tls) return;
        const secure = new TLSSocket(socket, {
          isServer: true,
          key: made.private,
          cert: made.cert,
        });
        secure.on("error", () => {});
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve());
    });
  });
  afterAll(() => server.close());

  const read = (options = {}) => {
    const { port } = server.address() as { port: number };
    return readCertificate({ host: "127.0.0.1", port }, options, 10_000);
  };

  test("is read without a login, and judged by the days that are left", async () => {
    const shown = await read({ ca: pem, checkServerIdentity: () => undefined });
    expect(shown).toEqual({
      issuer: "127.0.0.1",
      validTo: Math.floor(ends.getTime() / 1_000) * 1_000,
    });
    const at = (days: number) =>
      judgeCertificate("db:5432", shown, ends.getTime() - days * DAY).verdict;
    expect([at(31), at(29), at(-1)]).toEqual(["ok", "warning", "broken"]);
  });

  test("of an authority that is not trusted is broken, and says so", async () => {
    const shown = await read();
    expect(shown.distrusted).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(judgeCertificate("db:5432", shown, ends.getTime() - 100 * DAY)).toMatchObject({
      verdict: "broken",
      fix: { text: expect.stringContaining('"ca"') },
    });
  });

  test("a server without TLS has none", async () => {
    answer.tls = false;
    await expect(read()).rejects.toThrow("NoTls");
  });
});
