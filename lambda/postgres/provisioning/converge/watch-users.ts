import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Changes } from "../../../../core/provisioning/report.ts";
import type { Session } from "../../connection/session.ts";
import { ident, joined, literal, type Sql, sql } from "../../connection/sql.ts";
import { declaredSchema } from "../../leases/verbs.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { AS_OWNER, asOwner } from "./stamp-table.ts";

const STEP = "watch users";

/** `$1` users. Those that do not exist. */
const absent = sql`
select u.name from pg_catalog.unnest($1::text[]) u (name)
where not exists (select from pg_catalog.pg_roles r where r.rolname = u.name)
order by 1`;

/**
 * Write the plan's watched users to the table from which the verbs read them. The notes of a user
 * that is no longer watched are deleted.
 */
export async function watchUsers(
  { warn }: Pick<ProvisionDeps, "warn">,
  session: Session,
  { tag, watch = [] }: ProvisionPlan,
): Promise<Pick<Changes, "watchesBegun" | "watchesEnded">> {
  const table = sql`${ident(declaredSchema(tag))}.watched`;
  const rows = await asOwner<{ name: string }>(
    session,
    STEP,
    sql`select username::text as name from ${table}`,
  );
  const present = rows.map(({ name }) => name);
  const begun = watch.filter((name) => !present.includes(name));
  const ended = present.filter((name) => !watch.includes(name));
  const list = (names: readonly string[], render: (name: Sql) => Sql): Sql =>
    joined(
      names.map((name) => render(literal(name))),
      sql`, `,
    );
  const statements = [
    ...(ended.length > 0
      ? [sql`delete from ${table} where username in (${list(ended, (name) => name)})`]
      : []),
    ...(begun.length > 0
      ? [
          sql`insert into ${table} (username) values ${list(begun, (name) => sql`(${name})`)}
on conflict do nothing`,
        ]
      : []),
  ];
  if (statements.length > 0) await session.apply(STEP, [AS_OWNER, ...statements]);
  if (watch.length > 0)
    for (const { name } of await session.rows<{ name: string }>(STEP, absent, [watch]))
      warn("a watched user does not exist", { user: name });
  return { watchesBegun: begun.length, watchesEnded: ended.length };
}
