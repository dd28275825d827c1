import { inspect } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { operate } from "../../core/leases/operation/operate.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { issuerRoleName } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { backdate, firstRow } from "../support/evidence.ts";
import { type Issuer, issuerOn } from "../support/leases.ts";
import { provisioned, runAs, type TestDatabase } from "../support/provisioned.ts";

const ALIAS = "user-service--readonly";
const PEPPER = "test-pepper-value-that-is-secret";
const operating = { actor: "operator", mayContinue: () => true };

let own: OwnServer;
let database: TestDatabase;
let instance: Issuer;
/** Everything that must be found nowhere. */
const secrets = new Set<string>([PEPPER]);
const errors: unknown[] = [];

beforeAll(async () => {
  own = await startCluster();
  database = await provisioned({ cluster: own.cluster, limits: { maxLeases: 6 } });
  const version = "22222222-2222-4222-8222-222222222222";
  instance = issuerOn(database, {
    peppers: new Map([[version, { version, value: new Secret(PEPPER) }]]),
  });
  for (const which of ["a", "b"] as const)
    secrets.add((await database.issuerLogin(which)).password.reveal());
});
afterAll(async () => {
  await instance.close();
  await own.server.stop();
});

/** Remember a credential's password and its verifier. */
async function remember(credential: Credential): Promise<Credential> {
  secrets.add(credential.password);
  const { verifier } = await firstRow(
    database,
    `select rolpassword as verifier from pg_authid where rolname = '${credential.username}'`,
  );
  for (const part of String(verifier)
    .split(/[$:]/)
    .filter((each) => each.length > 20))
    secrets.add(part);
  return credential;
}

async function failing(doing: Promise<unknown>): Promise<void> {
  errors.push(
    await doing.then(
      () => new Error("it did not fail"),
      (error: unknown) => error,
    ),
  );
}

/** All that an error might show to whoever prints it. */
const everythingOf = (error: unknown): string =>
  [
    inspect(error, { showHidden: true, depth: 12, getters: true }),
    JSON.stringify(error),
    String((error as Error).stack),
    JSON.stringify(Object.getOwnPropertyDescriptors(error)),
  ].join("\n");

test("no password, verifier or pepper is in an audit line, a metric, an error, or the server's log", async () => {
  const credentials = [
    await remember(await instance.issue()),
    await remember(await instance.issue(ALIAS, { idempotencyKey: "k" })),
    await remember(await instance.issue(ALIAS, { idempotencyKey: "k" })),
    await remember(await instance.issue()),
  ];
  const [first, , , last] = credentials;
  await instance.ask(ALIAS, { action: "renew", leaseId: first?.leaseId });
  await instance.ask(ALIAS, { action: "lookup", leaseId: first?.leaseId });
  await instance.ask(ALIAS, { action: "revoke", leaseId: first?.leaseId });
  await failing(instance.ask(ALIAS, { action: "renew", leaseId: first?.leaseId }));

  while (errors.length < 2) {
    const made = await instance.issue().catch((error: unknown) => errors.push(error));
    if (typeof made === "object") await remember(made);
  }
  await failing(instance.issue(ALIAS, { ttlSeconds: 1 }));
  // with room for one more, what fails next fails once its role was made
  await instance.ask(ALIAS, { action: "revoke", leaseId: credentials[1]?.leaseId });
  await whileTheRoleIsLocked(async (cancel) => {
    await Promise.all([failing(instance.issue()), cancel()]);
  });
  await firstRow(
    database,
    `alter role mf_${database.tag}_group_readonly rename to elsewhere_${database.tag}`,
  );
  await failing(instance.issue());
  await firstRow(
    database,
    `alter role elsewhere_${database.tag} rename to mf_${database.tag}_group_readonly`,
  );
  for (const shard of [0, 1]) {
    const role = issuerRoleName(database.tag, shard);
    await firstRow(database, `alter role ${role} nocreaterole`);
  }
  await failing(instance.issue());
  for (const shard of [0, 1])
    await firstRow(database, `alter role ${issuerRoleName(database.tag, shard)} createrole`);

  await backdate(database, last?.username ?? "");
  await sweep(instance.deps, operating);
  await operate(instance.deps, { action: "revoke", everything: true }, operating);
  await operate(instance.deps, { action: "status" }, operating);

  expect(errors).toHaveLength(6);
  expect(errors.map((error) => String((error as Error).message))).not.toContain("it did not fail");
  expect(secrets.size).toBeGreaterThan(10);
  const log = own.server.log();
  expect(log).toContain("ready to accept connections");
  const shown = {
    audit: JSON.stringify(instance.audit),
    metrics: JSON.stringify(instance.metrics),
    errors: errors.map(everythingOf).join("\n"),
    log,
  };
  for (const [where, text] of Object.entries(shown)) {
    const found = [...secrets].filter((secret) => text.includes(secret));
    expect(found, `in ${where}`).toEqual([]);
    expect(text, `in ${where}`).not.toContain("SCRAM-SHA-256$4096:");
  }
});

test("the canary sings: a statement that fails with a verifier in it is in the server's log", async () => {
  const verifier = "SCRAM-SHA-256$4096:canary";
  await runAs(database.superuser(), `create role public password '${verifier}'`).catch(() => {});
  await eventually(() => own.server.log().includes(verifier));
});

test("every issued lease ends in the audit as revoked or gone", () => {
  const named = (...events: string[]) =>
    new Set(
      instance.audit.filter(({ event }) => events.includes(event)).map(({ leaseId }) => leaseId),
    );
  expect(named("lease.revoked", "lease.gone")).toEqual(named("lease.issued"));
});

/** Hold the lock that every issue takes; `cancel` ends the wait of the issue that waits for it. */
async function whileTheRoleIsLocked(
  work: (cancel: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const holder = new pg.Client(own.server.superuser("mayfly"));
  await holder.connect();
  await holder.query(
    `begin; select pg_advisory_xact_lock(hashtext('mayfly ${database.tag}'), hashtext('readonly'))`,
  );
  await work(() =>
    eventually(async () => {
      const { rows } = await holder.query(
        `select pg_stat_clear_snapshot(), pg_cancel_backend(pid) from pg_stat_activity
           where wait_event_type = 'Lock' and usename like 'mf\\_${database.tag}\\_login%'`,
      );
      return rows.length > 0;
    }),
  );
  await holder.query("rollback");
  await holder.end();
}
