import { runAs, type TestDatabase } from "./provisioned.ts";

/**
 * Everything that a tag has in a cluster, and who may what there, one fact a line; without the
 * grantors, which differ between those who prepare a cluster, and without passwords and their end.
 * Names are the same for every tag.
 */
export async function clusterStateOf(
  { tag, database, superuser }: TestDatabase,
  admin: string,
): Promise<string[]> {
  const ours = `r.rolname like 'mf\\_${tag}\\_%'`;
  const acl = (what: string, column: string, from: string): string =>
    `select distinct concat_ws(' ', ${what}, r.rolname, a.privilege_type, a.is_grantable)
     from ${from}, aclexplode(${column}) a join pg_roles r on r.oid = a.grantee where ${ours}`;
  const inCluster = await runAs(
    superuser(),
    `select concat_ws(' ', 'role', r.rolname, to_jsonb(r) - '{oid,rolname,rolpassword,rolvaliduntil}'::text[],
       shobj_description(r.oid, 'pg_authid')) as fact from pg_roles r where ${ours}
     union all select distinct concat_ws(' ', 'membership', g.rolname, u.rolname,
       to_jsonb(m) - '{oid,roleid,member,grantor}'::text[])
       from pg_auth_members m join pg_roles g on g.oid = m.roleid join pg_roles u on u.oid = m.member
       where g.rolname like 'mf\\_${tag}\\_%' or u.rolname like 'mf\\_${tag}\\_%'
     union all ${acl("'database', d.datname", "d.datacl", "pg_database d")}
     union all ${acl("'schema', n.nspname", "n.nspacl", "pg_namespace n")}
     union all ${acl("'relation', c.relname", "c.relacl", "pg_class c")}
     union all ${acl("'default', d.defaclrole::regrole, d.defaclobjtype", "d.defaclacl", "pg_default_acl d")}
     union all select concat_ws(' ', 'closed to PUBLIC', not exists (
       select from aclexplode(d.datacl) a where a.grantee = 0)) from pg_database d
       where d.datname = 'mayfly'
     order by 1`,
  );
  return inCluster.map(({ fact }) =>
    String(fact).replaceAll(database, "DATABASE").replaceAll(tag, "TAG").replaceAll(admin, "ADMIN"),
  );
}
