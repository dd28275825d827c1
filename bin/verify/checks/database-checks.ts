import { differs, fine, NotMade, type Outcome } from "../outcome.ts";
import type { World } from "./check.ts";

/** Memberships in the lease's role: on 16 and later, its creator's. Any login may read them. */
const OWN_ROWS = `select current_setting('server_version_num')::int as version, m.rolname as member,
  g.rolname as grantor, a.admin_option
from pg_catalog.pg_auth_members a
join pg_catalog.pg_roles r on r.oid = a.roleid
join pg_catalog.pg_roles m on m.oid = a.member
left join pg_catalog.pg_roles g on g.oid = a.grantor
where r.rolname = current_user`;

const MASTER_ROWS = `select r.rolname as role
from pg_catalog.pg_auth_members a
join pg_catalog.pg_roles r on r.oid = a.roleid
join pg_catalog.pg_roles m on m.oid = a.member
where m.rolname = 'rds_superuser' and a.admin_option order by 1`;

/** The first release with separate ADMIN, INHERIT and SET options. */
const SPLIT = 160_000;

/** The ADMIN row of a role's creator, and the roles that RDS's master user may grant. */
export async function adminRows({ account, evidence }: World): Promise<Outcome> {
  const { credential } = await evidence.lease();
  const rows = await account.query(credential, OWN_ROWS);
  const [version] = await account.query(
    credential,
    "select current_setting('server_version_num')::int as version",
  );
  const passed = (await account.query(credential, MASTER_ROWS)).map(({ role }) => String(role));
  const may = `rds_superuser may pass on ${passed.join(", ") || "nothing"}`;
  if (Number(version?.version) < SPLIT)
    return fine(`PostgreSQL before 16 has no such rows; ${may}`);
  const [row] = rows;
  const [, tag = ""] = credential.username.split("_");
  const isOfIssuer =
    rows.length === 1 &&
    row?.admin_option === true &&
    String(row.member).startsWith(`mf_${tag}_issuer_`);
  const saw = `${rows.length} row over the lease, of ${String(row?.member)}, granted by ${String(row?.grantor)}; ${may}`;
  return isOfIssuer && passed.includes("pg_signal_backend") ? fine(saw) : differs(saw);
}

/** The setting is off unless a parameter group turns it on. */
export async function passwordCommands({ account, evidence }: World): Promise<Outcome> {
  const { credential } = await evidence.lease();
  const [row] = await account.query(
    credential,
    "select current_setting('rds.restrict_password_commands', true) as setting",
  );
  if (row?.setting === "on" || row?.setting === "1")
    return differs("the setting is on, and the issuer issues leases nevertheless");
  const setting = typeof row?.setting === "string" ? row.setting : "unknown to the server";
  throw new NotMade(
    `rds.restrict_password_commands is ${setting} here; it takes a parameter group of your own and a reboot`,
  );
}
