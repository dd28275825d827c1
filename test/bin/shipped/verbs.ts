import pg from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { verbsScript } from "../../../bin/commands/setup/verbs.ts";
import { issuerRoleName } from "../../../core/names.ts";
import { parseProvisionPlan } from "../../../core/provisioning/parse-plan.ts";
import type { Session } from "../../../lambda/postgres/connection/session.ts";
import type { Sql } from "../../../lambda/postgres/connection/sql.ts";
import {
  installVerbs,
  withdrawDeclared,
} from "../../../lambda/postgres/provisioning/converge/install-verbs.ts";
import { mayfly } from "../../support/mayfly.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

const plan = parseProvisionPlan(
  JSON.stringify({
    database: "orders",
    tag: "abcd",
    shards: 33,
    tls: "verify-full",
    owner: "app_owner",
    databases: ["orders"],
    maintenanceDatabase: "mayfly",
    loginConnectionLimit: 20,
    roles: {
      readonly: {
        groupRole: "mf_abcd_group_readonly",
        privileges: { select: ["public.*"] },
        ttlSeconds: 60,
        maxTtlSeconds: 600,
        maxLeases: 10,
        maxLeasesPerConsumer: 5,
        connectionLimit: 2,
      },
    },
    grants: [{ consumer: "reporting", role: "readonly" }],
  }),
);

/** A session that sends nothing, and finds every role that it is asked about. */
function recording(): Session & { readonly sent: readonly Sql[][] } {
  const sent: Sql[][] = [];
  return {
    sent,
    rows: async <Row extends object>(_step: string, _query: Sql, values?: readonly unknown[]) =>
      ((values?.[0] ?? []) as string[]).map((name) => ({ name })) as unknown as Row[],
    apply: async (_step, statements) => void sent.push([...statements]),
    rehearse: async () => {},
    permits: async () => true,
    alone: async () => {},
  };
}

const ended = (statement: string): string => `${statement.replace(/;$/, "")};`;

describe("the script is what the provisioner runs", () => {
  test.each([140_000, 150_017, 160_000, 180_004])("on server version %i", async (server) => {
    const session = recording();
    await withdrawDeclared(session, plan);
    await installVerbs(session, plan, server);
    const [withdrawn = [], installed = []] = session.sent;
    expect(session.sent).toHaveLength(2);
    // what is declared is a deployment's to say: the script makes the table, and takes nothing out of it
    const table = withdrawn.slice(0, -2);
    expect(withdrawn.slice(-2).join()).toMatch(/^lock table .*,delete from declared where /);
    const transactions = [table, installed].map((statements) =>
      ["begin;", ...statements.map(ended), "commit;"].join("\n"),
    );
    const script = verbsScript(plan, server);
    expect(script.slice(script.indexOf("\nbegin;") + 1)).toBe(`${transactions.join("\n\n")}\n`);
  });

  test("the only psql command in the script is ON_ERROR_STOP", () => {
    const lines = verbsScript(plan, 180_000).split("\n");
    expect(lines.filter((line) => line.startsWith("\\"))).toEqual(["\\set ON_ERROR_STOP on"]);
    expect(lines.filter((line) => line.includes("\\")).length).toBe(1);
  });
});

describe("in a stack that was deployed", () => {
  let stack: ShippedStack;
  beforeAll(async () => {
    stack = await sharedShipped();
    await stack.runner.rotations.finished();
  });

  /** Every function of the stack's schemas as it stands, with its owner and who may execute it. */
  const standing = () =>
    stack.superuser(
      `select p.proowner::regrole::text as owner, p.proacl::text as acl,
        pg_get_functiondef(p.oid) as definition
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname like 'mf\\_%' order by n.nspname, p.proname`,
      "mayfly",
    );
  const memberships = () =>
    stack.superuser(
      `select roleid::regrole::text as role, member::regrole::text as member,
        grantor::regrole::text as grantor, admin_option, inherit_option, set_option
      from pg_auth_members order by 1, 2, 3`,
    );

  test("the script changes nothing in a deployed stack, and repairs a changed function", async () => {
    const { status, out, err } = await mayfly(["verbs"]);
    expect({ status, err }).toEqual({
      status: 0,
      err: expect.stringContaining("for the database orders of stack Mayfly, tag "),
    });
    const before = { functions: await standing(), memberships: await memberships() };
    expect(before.functions.length).toBeGreaterThan(16 * 7);
    expect(JSON.stringify(before.functions)).toContain(issuerRoleName(tagIn(err), 15));

    const [row] = await stack.superuser(
      "select datdba::regrole::text as admin from pg_database where datname = 'mayfly'",
    );
    const run = async (): Promise<void> => {
      const client = new pg.Client(stack.runner.database.superuser("mayfly"));
      await client.connect();
      try {
        await client.query(`set session authorization ${String(row?.admin)}`);
        await client.query(out.replaceAll(/^\\.*$/gm, ""));
      } finally {
        await client.end();
      }
    };
    await run();
    expect({ functions: await standing(), memberships: await memberships() }).toEqual(before);

    const schema = `mf_${tagIn(err)}_v1`;
    await stack.superuser(
      `create or replace function ${schema}.sweep()
        returns table (kind text, subject text, detail text) language sql
        as 'select null::text, null::text, null::text where false'`,
      "mayfly",
    );
    expect(await standing()).not.toEqual(before.functions);
    await run();
    expect(await standing()).toEqual(before.functions);
  });
});

const tagIn = (words: string): string => /tag ([a-z2-7]{4});/.exec(words)?.[1] ?? "";

test.each<[string, string[], number, RegExp]>([
  ["a version in words", ["--server", "16"], 64, /--server: "16" is not a server_version_num/],
  ["a version before 14", ["--server", "130008"], 64, /of PostgreSQL 14 or later/],
  ["no such database", ["--database", "x"], 64, / x; .* orders\n/],
  ["a configuration that is not there", ["--config", "no.ts"], 78, /\/no\.ts /],
])("%s: words on stderr, nothing on stdout", async (_, args, expected, words) => {
  const { status, out, err } = await mayfly(["verbs", ...args]);
  expect({ status, out }).toEqual({ status: expected, out: "" });
  expect(err).toMatch(words);
});
