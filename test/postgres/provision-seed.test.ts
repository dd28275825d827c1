import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeSeed, parseSeedRequest } from "../../lambda/postgres/provisioning/seed-sandbox.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { fileCluster } from "../support/file-cluster.ts";
import { runAs, SECRETS, unprovisioned } from "../support/provisioned.ts";

/** A function's folder, with the roots of one Region: the test server's own. */
const { path: folder, remove } = tempFolder("seed");
mkdirSync(join(folder, "rds-ca"));
writeFileSync(join(folder, "rds-ca", "eu-test-1.pem"), (await fileCluster()).ca);
afterAll(remove);

test("the sandbox has a table of five rows whose owner cannot log in, however often seeded", async () => {
  const { admin, database, owner, secrets } = await unprovisioned();
  await runAs(admin(), "drop table public.orders");
  const { host, port } = admin();
  const seed = makeSeed({
    secrets,
    adminSecret: SECRETS.admin,
    server: { host, port, region: "eu-test-1", folder },
  });
  for (let n = 0; n < 2; n++) {
    await seed({ database, owner });
    const [row] = await runAs(
      admin(),
      `set role ${owner};
       select count(*)::int as rows, bool_and(total_cents > 0) as priced,
         (select rolcanlogin from pg_roles where rolname = current_user) as can_login,
         (select tableowner from pg_tables where tablename = 'orders') as owner
       from public.orders`,
    );
    expect(row).toEqual({ rows: 5, priced: true, can_login: false, owner });
  }
});

test("without roots for its Region, nothing is sent", async () => {
  const { admin, database, owner, secrets } = await unprovisioned();
  const { host, port } = admin();
  const server = { host, port, region: "nowhere", folder };
  await expect(
    makeSeed({ secrets, adminSecret: SECRETS.admin, server })({ database, owner }),
  ).rejects.toThrow('no RDS root certificates are shipped for Region "nowhere"');
});

test.each([undefined, {}, { Database: "orders" }, { Database: "", Owner: "x" }])(
  "properties %j are refused",
  (properties) => {
    expect(() => parseSeedRequest(properties)).toThrow("Database and Owner must be set");
  },
);
