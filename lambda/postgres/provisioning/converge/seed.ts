import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, type Sql, sql } from "../../connection/sql.ts";

/** `$1` the owner. */
const ownerState = sql`
select pg_catalog.current_setting('server_version_num')::int as version,
  exists (select from pg_catalog.pg_roles where rolname = $1::text) as exists`;

/** `$1` the owner, who exists. */
const rights = (version: number): Sql => sql`
select pg_catalog.pg_has_role($1::name, ${version >= SPLIT_MEMBERSHIP ? sql`'SET'` : sql`'MEMBER'`}) as member,
  pg_catalog.has_schema_privilege($1::name, 'public', 'CREATE')
    and pg_catalog.has_schema_privilege($1::name, 'public', 'USAGE') as creates,
  pg_catalog.has_schema_privilege('public', 'public', 'CREATE')
    and pg_catalog.has_schema_privilege('public', 'CREATE WITH GRANT OPTION') as open`;

const createOrders = sql`
create table if not exists public.orders (
  id bigint generated always as identity primary key,
  customer text not null,
  total_cents bigint not null,
  created_at timestamptz not null default pg_catalog.now()
)`;

const fillOrders = sql`
insert into public.orders (customer, total_cents)
select customer, total_cents
from (values ('ada', 1250), ('grace', 8999), ('edsger', 420), ('barbara', 31337), ('tony', 100))
  as first_orders(customer, total_cents)
where not exists (select from public.orders)`;

/** Create `owner` and its table `public.orders` with five rows, on a connection to the sandbox. */
export async function seedDatabase(session: Session, owner: string): Promise<void> {
  const name = ident(owner);
  const [state] = await session.rows<{ version: number; exists: boolean }>(
    "look for the owner",
    ownerState,
    [owner],
  );
  if (state?.exists !== true)
    await session.apply("create the owner", [sql`create role ${name} nologin`]);
  const split = (state?.version ?? 0) >= SPLIT_MEMBERSHIP;
  const [has] = await session.rows<{ member: boolean; creates: boolean; open: boolean }>(
    "look at the owner's rights",
    rights(state?.version ?? 0),
    [owner],
  );
  const become = split ? sql` with inherit false, set true` : sql``;
  await session.apply("let the admin be the owner, and the owner create tables", [
    ...(has?.member === true ? [] : [sql`grant ${name} to current_user${become}`]),
    ...(has?.creates === true && !has.open
      ? []
      : [sql`grant usage, create on schema public to ${name}`]),
    // before PostgreSQL 15 everybody may create objects there, even leases that write
    ...(has?.open === true ? [sql`revoke create on schema public from public`] : []),
  ]);
  await session.apply("create the table orders", [
    sql`set local role ${name}`,
    createOrders,
    fillOrders,
  ]);
}
