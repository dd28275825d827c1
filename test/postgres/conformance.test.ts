import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, test } from "vitest";
import { base32 } from "../../core/base32.ts";
import { keyDigest, NO_KEY, RANDOM_LENGTH } from "../../core/leases/lease-name.ts";
import { CASES } from "../../lambda/postgres/conformance/cases.ts";
import type { UnderTest } from "../../lambda/postgres/conformance/under-test.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { backdate } from "../support/evidence.ts";
import { type Fleet, fleet } from "../support/fleet.ts";
import { runAs, TEST_LIMITS } from "../support/provisioned.ts";

const LIMIT = 5;

let eight: Fleet;
let subject: UnderTest;
beforeAll(async () => {
  eight = await fleet(8, { limits: { maxLeases: LIMIT } });
  const { test: database, instances } = eight;
  const [first, ...rest] = instances.map(({ deps }) => deps.engine);
  if (first === undefined) throw new Error("there are eight");
  subject = {
    engines: [first, ...rest],
    limit: LIMIT,
    pepper: "11111111-1111-4111-8111-111111111111",
    nameOf: (key) => ({
      tag: database.tag,
      role: "readonly",
      consumer: "user-service",
      digest: key === undefined ? NO_KEY : keyDigest("user-service", "readonly", key),
      shard: randomBytes(1).readUInt8() % database.plan.shards,
      random: base32(randomBytes(8), RANDOM_LENGTH),
    }),
    logIn: async (username, password) => {
      const client = await connect(database.as(username, password), TEST_LIMITS).catch(
        () => undefined,
      );
      return (
        client && {
          isAlive: () =>
            client.query("select 1").then(
              () => true,
              () => false,
            ),
          end: () => client.end(),
        }
      );
    },
    expire: (username) => backdate(database, username),
    litter: async (username) => {
      await runAs(
        database.superuser(),
        `create table public.kept_${database.tag} (id int); alter table public.kept_${database.tag} owner to "${username}"`,
      );
    },
    isLent: async (username) => {
      const janitor = await connect(await database.janitor(), TEST_LIMITS);
      const become = janitor.query(`set role "${username}"`);
      const isLent = await become.then(
        () => true,
        () => false,
      );
      await janitor.end();
      return isLent;
    },
    clear: async (username) => {
      await runAs(database.superuser(), `drop owned by "${username}"`);
    },
  };
});
afterAll(() => eight.close());

test.each(CASES)("$title", ({ run }) => run(subject));
