import { runAs, type TestDatabase } from "./provisioned.ts";

/**
 * Every catalog row that provisioning makes for a tag, each with the transaction that last wrote
 * it: two equal snapshots mean that nothing was written in between, not even the same again.
 */
export async function tracesOf({ tag, database, superuser }: TestDatabase): Promise<string[]> {
  const rows = await runAs(
    superuser(),
    `with ours as (select oid, rolname from pg_authid where rolname like 'mf\\_${tag}\\_%')
     select 'role ' || a.rolname || a.xmin from pg_authid a join ours using (oid)
     union all select 'comment ' || o.rolname || c.xmin
       from pg_shdescription c join ours o on o.oid = c.objoid
     union all select 'membership ' || m.roleid || m.member || m.xmin
       from pg_auth_members m join ours o on o.oid in (m.roleid, m.member)
     union all select 'relation ' || c.relname || c.xmin || c.relacl::text
       from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public'
     union all select 'schema ' || n.nspname || n.xmin from pg_namespace n
     union all select 'default ' || d.oid || d.xmin from pg_default_acl d
     union all select 'database ' || d.datname || d.xmin from pg_database d
       where d.datname = '${database}'
     order by 1`,
  );
  return rows.map((row) => String(Object.values(row)[0]));
}

/** Names of the roles that exist for a tag. */
export async function rolesOf({ tag, superuser }: TestDatabase): Promise<string[]> {
  const rows = await runAs(
    superuser(),
    `select rolname from pg_roles where rolname like 'mf\\_${tag}\\_%' order by 1`,
  );
  return rows.map(({ rolname }) => String(rolname));
}
