import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Secret } from "../../core/secret.ts";
import { ident, literal } from "../../lambda/postgres/connection/sql.ts";
import { makeProvision } from "../../lambda/postgres/provisioning/provision.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { rolesOf } from "../support/provision-traces.ts";
import { provisioned, runAs, SECRETS, type TestDatabase } from "../support/provisioned.ts";

// a server of their own: the master's password changes
let own: OwnServer;
let shared: TestDatabase;
beforeAll(async () => {
  own = await startCluster(["max_connections=100"]);
  shared = await provisioned({ cluster: own.cluster });
});
afterEach(() => setPassword(own.cluster.masterPassword));
afterAll(() => own.server.stop());

const NEXT = "next-password-of-the-master";

const setPassword = (password: string) =>
  runAs(
    shared.superuser("postgres"),
    `alter role ${ident(own.cluster.masterUsername)} password ${literal(password)}`,
  );

const label = (test: TestDatabase, stage: string, password: string): void =>
  test.secrets.label(SECRETS.admin, stage, {
    dbname: test.database,
    username: own.cluster.masterUsername,
    password: new Secret(password),
  });

test("a password that RDS has set, and no rotation has finished, is that of AWSPENDING", async () => {
  const database = await provisioned({ cluster: own.cluster });
  label(database, "AWSPENDING", NEXT);
  await setPassword(NEXT);
  expect(await database.provision()).toMatchObject({ rolesMade: 0, passwordsSet: 0 });
  await database.converge();
  await database.remove();
  expect(await rolesOf(database)).toEqual([]);
  expect(database.warnings).toEqual([]);
});

test.each([["AWSPENDING"], ["AWSCURRENT"]])(
  "a password that is %s in the midst has it done again from the start",
  async (stage) => {
    const database = await provisioned({ cluster: own.cluster });
    const { deps, stack } = database;
    const second = `${database.database}_2`;
    await runAs(database.superuser(), `create database ${second} owner ${database.owner}`);
    const plan = { ...database.plan, databases: [database.database, second] };
    const lines: string[] = [];
    let isRotated = false;
    const provision = makeProvision({
      ...deps,
      log: (line) => lines.push(line),
      secrets: {
        ...deps.secrets,
        // as the janitor's secret is read, before the administrator logs in to the second database
        getSecret: async (arn, version) => {
          if (arn === SECRETS.janitor && !isRotated) {
            isRotated = true;
            await setPassword(NEXT);
            label(database, stage, NEXT);
          }
          return deps.secrets.getSecret(arn, version);
        },
      },
    });
    await provision(plan, stack);
    const again =
      "the administrator's password was rotated meanwhile; from the start, with the next";
    expect(lines.filter((line) => line === again || line === "checks passed")).toEqual([
      "checks passed",
      again,
      "checks passed",
    ]);
  },
);

test("a password that no version holds is refused, and AWSPREVIOUS is of no use", async () => {
  const database = await provisioned({ cluster: own.cluster });
  label(database, "AWSPENDING", "another");
  label(database, "AWSPREVIOUS", NEXT);
  await setPassword(NEXT);
  const refusal = { name: "ConfigError" };
  await expect(database.provision()).rejects.toMatchObject(refusal);
  await expect(database.remove()).rejects.toMatchObject(refusal);
});
