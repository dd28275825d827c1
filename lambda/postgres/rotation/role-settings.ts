import { StatementRejectedError } from "../../../core/errors.ts";
import type { Session } from "../connection/session.ts";
import { ident, integer, joined, literal, type Sql, sql } from "../connection/sql.ts";
import { DENIED, NOT_SUPPORTED } from "../connection/sqlstates.ts";

/** A setting of a role, from `ALTER ROLE … [IN DATABASE …] SET`. */
export interface RoleSetting {
  readonly role: string;
  /** `null` for all databases. */
  readonly database: string | null;
  readonly name: string;
  /** As stored in the catalog. */
  readonly value: string;
}

/** A statement of a rotation, and what it changes, without values. */
export interface Change {
  readonly what: string;
  readonly statement: Sql;
  /** The same for a DBA, if the statement must not be printed. */
  readonly remedy?: Sql;
}

/** `$1` names of roles. */
const settingsOf = sql`
select r.rolname::text as role, d.datname::text as database,
  pg_catalog.split_part(s, '=', 1) as name,
  pg_catalog.substr(s, pg_catalog.strpos(s, '=') + 1) as value
from pg_catalog.pg_db_role_setting x
join pg_catalog.pg_roles r on r.oid = x.setrole
left join pg_catalog.pg_database d on d.oid = x.setdatabase
cross join pg_catalog.unnest(x.setconfig) s
where r.rolname = any ($1::text[]) and (x.setdatabase = 0 or d.oid is not null)
order by d.datname nulls first, 3`;

/**
 * Settings of a transaction, not of a session: on a role they have no effect, and from 16 on nobody
 * can reset them.
 */
const OF_TRANSACTIONS = /^transaction_(?:isolation|read_only|deferrable)$/i;

/** The effective settings of roles, for all databases and for single ones. */
export const readSettings = async (
  session: Session,
  step: string,
  roles: readonly string[],
): Promise<readonly RoleSetting[]> =>
  (await session.rows<RoleSetting>(step, settingsOf, [roles])).filter(
    ({ name }) => !OF_TRANSACTIONS.test(name),
  );

/**
 * Reset all settings of roles. Settings that only a superuser can set, and those that cannot be
 * reset, stay: Mayfly's connections override them.
 */
export async function resetSettings(
  session: Session,
  step: string,
  roles: readonly string[],
): Promise<void> {
  const found = await session.rows<RoleSetting>(step, settingsOf, [roles]);
  const reset = (
    each: readonly RoleSetting[],
    what: (setting: RoleSetting) => Sql,
  ): readonly Sql[] => [
    ...new Set(each.map((one) => alter(one.role, one.database, sql`reset ${what(one)}`))),
  ];
  try {
    await session.apply(
      step,
      reset(found, () => sql`all`),
    );
  } catch (error) {
    if (!isRefused(error)) throw error;
    for (const each of found)
      await session
        .apply(
          step,
          reset([each], ({ name }) => nameOf(name)),
        )
        .catch((refusal: unknown) => {
          if (!isRefused(refusal)) throw refusal;
        });
  }
}

const isRefused = (error: unknown): boolean =>
  error instanceof StatementRejectedError && [NOT_SUPPORTED, DENIED].includes(error.engineCode);

/**
 * Settings that are lists of names, stored as SQL (GUC_LIST_QUOTE, not possible for extensions),
 * and whether unquoted names are folded to lower case (PostgreSQL's `variable_is_guc_list_quote`).
 */
const NAME_LISTS: ReadonlyMap<string, boolean> = new Map([
  ["search_path", true],
  ["temp_tablespaces", true],
  ["local_preload_libraries", false],
  ["session_preload_libraries", false],
]);

const ELEMENT = /\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*,/g;

const folded = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** The right side of `SET … =` for a setting's value in the catalog. */
export function sqlOf({ name, value }: Pick<RoleSetting, "name" | "value">): Sql {
  const folds = NAME_LISTS.get(name.toLowerCase());
  if (folds === undefined) return literal(value);
  const names = [...`${value},`.matchAll(ELEMENT)].map(
    ([, quoted, plain = ""]) => quoted?.replaceAll('""', '"') ?? (folds ? folded(plain) : plain),
  );
  return joined(names.map(literal), sql`, `);
}

/** The key of a setting, whichever role has it. */
const keyOf = ({ database, name }: RoleSetting): string =>
  JSON.stringify([database, name.toLowerCase()]);

/** A setting's name, whose parts are divided by dots. */
const nameOf = (name: string): Sql => joined(name.split(".").map(ident), sql`.`);

const alter = (role: string, database: string | null, change: Sql): Sql =>
  database === null
    ? sql`ALTER ROLE ${ident(role)} ${change}`
    : sql`ALTER ROLE ${ident(role)} IN DATABASE ${ident(database)} ${change}`;

/** Copy the settings of `like` to `role`; `found` has the settings of both. */
export function settingChanges(
  role: string,
  like: string,
  found: readonly RoleSetting[],
): readonly Change[] {
  const of = (name: string) => found.filter((each) => each.role === name);
  const wanted = new Map(of(like).map((each) => [keyOf(each), each]));
  const has = new Map(of(role).map((each) => [keyOf(each), each]));
  const what = ({ name, database }: RoleSetting): string =>
    `setting ${name} of ${role}${database === null ? "" : ` in database ${database}`}`;
  const resets = [...has].filter(([key]) => !wanted.has(key)).map(([, each]) => each);
  const sets = [...wanted.values()].filter((each) => {
    const now = has.get(keyOf(each));
    return now === undefined || sqlOf(now) !== sqlOf(each);
  });
  return [
    ...resets.map((each) => ({
      what: what(each),
      statement: alter(role, each.database, sql`RESET ${nameOf(each.name)}`),
    })),
    ...sets.map((each) => ({
      what: what(each),
      statement: alter(role, each.database, sql`SET ${nameOf(each.name)} = ${sqlOf(each)}`),
      ...(isPrintable(each) ? {} : { remedy: copyOf(each, role) }),
    })),
  ];
}

/** Settings of applications may be secret: `app.jwt_secret`. */
const isPrintable = ({ name, value }: RoleSetting): boolean =>
  !name.includes(".") && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);

/** Copy a setting from another role, without printing its value. */
const copyOf = ({ role: like, database, name }: RoleSetting, role: string): Sql =>
  sql`
DO $mf$ BEGIN EXECUTE (SELECT pg_catalog.format(${literal(`ALTER ROLE %I${database === null ? "%s" : " IN DATABASE %I"} SET %s = %L`)}, ${literal(role)}, ${literal(database ?? "")}, ${literal(nameOf(name))}, pg_catalog.substr(s, ${integer(name.length + 2)})) FROM pg_catalog.pg_db_role_setting x JOIN pg_catalog.pg_roles r ON r.oid = x.setrole LEFT JOIN pg_catalog.pg_database d ON d.oid = x.setdatabase CROSS JOIN pg_catalog.unnest(x.setconfig) s WHERE r.rolname = ${literal(like)} AND ${database === null ? sql`x.setdatabase = 0` : sql`d.datname = ${literal(database)}`} AND pg_catalog.starts_with(s, ${literal(`${name}=`)})); END $mf$`.slice(
    1,
  ) as Sql;
