import { readFileSync } from "node:fs";
import { join } from "node:path";
import { enderName, issuerRoleName } from "../../../core/names.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, joined, type Sql, sql } from "../connection/sql.ts";
import { declaredSchema, VERBS, type Verb, type VerbKind, verbsSchema } from "./verbs.ts";

const FILES: Readonly<Partial<Record<Verb, string>>> = { drop_leases: "drop" };

/**
 * The folder of the SQL files: beside the sources, or beside the bundle of a function that installs
 * them.
 */
const FOLDER = join(import.meta.dirname, "verbs");

const readSql = (name: string): string =>
  readFileSync(join(FOLDER, `${name}.sql`), "utf8").trimEnd();

/** The text of one verb's SQL file. */
export const verbText = (verb: Verb): string => readSql(FILES[verb] ?? verb.replaceAll("_", "-"));

/** The statements that create the tables of grants, and of the users that are watched. */
export const declaredText = (): string => readSql("declared");

/** A verb's arguments and result, parsed from its SQL file so that they are written only once. */
interface Signature {
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly args: string;
  readonly result: string;
}

const SIGNATURE = /^create or replace function (\w+)\(([^()]*)\)\s*returns table \(([^()]*)\)/m;

export function signatureOf(verb: Verb): Signature {
  const [, name, args = "", result = ""] = SIGNATURE.exec(verbText(verb)) ?? [];
  if (name !== verb) throw new Error(`the file of verb ${verb} has no function of that name`);
  const each = args
    .split(",")
    .map((arg) => arg.trim().split(/\s+/))
    .filter(([first]) => first !== "");
  const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim();
  return {
    names: each.map(([first = ""]) => first),
    types: each.map(([, ...type]) => type.join(" ")),
    args: oneLine(args),
    result: oneLine(result),
  };
}

/** Marks text from Mayfly's own SQL files, without any values, as SQL. */
const trusted = (text: string): Sql => text as Sql;

const verbsBy = (runsAs: VerbKind["runsAs"]): readonly Verb[] =>
  (Object.keys(VERBS) as Verb[]).filter((verb) => VERBS[verb].runsAs === runsAs);

const shut = (verb: Verb): Sql =>
  sql`revoke all on function ${trusted(`${verb}(${signatureOf(verb).types.join(", ")})`)} from public`;

/** The options of an installation. */
export interface Installation {
  readonly tag: string;
  readonly shards: readonly string[];
  readonly logins: readonly string[];
  /** `server_version_num`, e.g. 180004. */
  readonly server: number;
  /** @default VERBS_VERSION */
  readonly version?: number;
}

/**
 * Create the function bodies, as their owner, without the wrappers and without EXECUTE for anybody.
 * Run these statements in one transaction; the first sets `search_path`.
 */
export function bodyStatements({ tag, version }: Installation): readonly Sql[] {
  const schema = ident(verbsSchema(tag, version));
  const bodies = [...verbsBy("shard"), ...verbsBy("login")];
  return [
    sql`set local search_path = ${schema}, ${ident(declaredSchema(tag))}, pg_catalog, pg_temp`,
    ...bodies.flatMap((verb) => [trusted(verbText(verb)), shut(verb)]),
  ];
}

/**
 * Grant EXECUTE on the bodies: to the issuer roles, or to the logins for verbs that run as the
 * login.
 */
export function bodyGrants({ tag, shards, logins, version }: Installation): readonly Sql[] {
  const schema = ident(verbsSchema(tag, version));
  const to = (names: readonly string[]): Sql => joined(names.map(ident), sql`, `);
  const signature = (verb: Verb): Sql =>
    sql`${schema}.${trusted(`${verb}(${signatureOf(verb).types.join(", ")})`)}`;
  return [
    sql`grant usage on schema ${schema} to ${to([...shards, ...logins, enderName(tag)])}`,
    sql`grant usage on schema ${ident(declaredSchema(tag))} to ${to(shards)}`,
    sql`grant select on ${ident(declaredSchema(tag))}.declared to ${to(shards)}`,
    sql`grant select, insert, update on ${ident(declaredSchema(tag))}.counted to ${to(shards)}`,
    sql`grant select on ${ident(declaredSchema(tag))}.watched to ${to(shards)}`,
    sql`grant select, insert, update, delete on ${ident(declaredSchema(tag))}.seen to ${to(shards)}`,
    ...verbsBy("shard").map(
      (verb) => sql`grant execute on function ${signature(verb)} to ${to(shards)}`,
    ),
    ...verbsBy("login").map(
      (verb) => sql`grant execute on function ${signature(verb)} to ${to(logins)}`,
    ),
  ];
}

const pins = (path: Sql, lockTimeout?: string): Sql =>
  sql`security definer set search_path = ${path}${trusted(lockTimeout === undefined ? "" : ` set lock_timeout = '${lockTimeout}'`)}`;

/**
 * Create the two functions that end sessions, as the role that may do so. They have no wrapper:
 * only issuer roles execute them.
 */
export function enderStatements({ tag, shards, version }: Installation): readonly Sql[] {
  const schema = ident(verbsSchema(tag, version));
  const to = joined(shards.map(ident), sql`, `);
  return [
    sql`set local search_path = ${schema}, pg_catalog, pg_temp`,
    ...verbsBy("ender").flatMap((verb) => {
      const signature = trusted(`${verb}(${signatureOf(verb).types.join(", ")})`);
      return [
        trusted(verbText(verb)),
        shut(verb),
        sql`alter function ${signature} ${pins(sql`pg_catalog, ${schema}, pg_temp`)}`,
        sql`grant execute on function ${signature} to ${to}`,
      ];
    }),
  ];
}

const wrapperBody = (schema: Sql, verb: Verb): Sql => sql`
#variable_conflict use_column
begin
  return query select * from ${schema}.${trusted(
    `${verb}(${signatureOf(verb)
      .names.map((_, i) => `$${i + 1}`)
      .join(", ")})`,
  )};
end
`;

/** The code of a verb's function, as the server stores it: its own, or its wrappers'. */
export function sourceOf(tag: string, verb: Verb, kind: "body" | "wrapper"): string {
  if (kind === "wrapper") return wrapperBody(ident(verbsSchema(tag)), verb);
  const [, source] = /\$body\$([\s\S]*)\$body\$/.exec(verbText(verb)) ?? [];
  if (source === undefined) throw new Error(`the file of verb ${verb} has no $body$`);
  return source;
}

/**
 * Create the wrappers of one issuer role, as that role. A login can reach the bodies only through
 * them.
 */
export function wrapperStatements(
  { tag, logins, server, version }: Installation,
  shard: string,
): readonly Sql[] {
  const schema = ident(verbsSchema(tag, version));
  const suffix = shard.slice(issuerRoleName(tag, 0).length - 2);
  const path = sql`pg_catalog, ${schema}, ${ident(declaredSchema(tag))}, pg_temp`;
  // without this, a setting of the login could make the issuer role a member of each lease it
  // creates
  const selfGrant = server >= SPLIT_MEMBERSHIP ? sql` set createrole_self_grant = ''` : sql``;
  const to = joined(logins.map(ident), sql`, `);
  return verbsBy("shard").flatMap((verb) => {
    const { args, result, types } = signatureOf(verb);
    const { lockTimeout } = VERBS[verb] as Extract<VerbKind, { runsAs: "shard" }>;
    const name = `${verb}_${suffix}`;
    const signature = sql`${schema}.${trusted(`${name}(${types.join(", ")})`)}`;
    return [
      sql`create or replace function ${schema}.${trusted(`${name}(${args})`)}
returns table (${trusted(result)}) language plpgsql ${pins(path, lockTimeout)}${selfGrant}
as $body$${wrapperBody(schema, verb)}$body$`,
      sql`revoke all on function ${signature} from public`,
      sql`grant execute on function ${signature} to ${to}`,
    ];
  });
}

/** Become the owner of the database. */
const AS_OWNER = sql`set local role pg_database_owner`;
const AS_ADMIN = sql`set local role none`;

/** Create these tables, in one transaction. Existing tables are left unchanged. */
export const declaredStatements = (tag: string): readonly Sql[] => [
  sql`create schema if not exists ${ident(declaredSchema(tag))} authorization pg_database_owner`,
  AS_OWNER,
  sql`set local search_path = ${ident(declaredSchema(tag))}, pg_catalog, pg_temp`,
  trusted(declaredText()),
];

/**
 * Every statement that installs the verbs of one version, in order, for the administrator to run in
 * one transaction. Existing functions are replaced.
 *
 * @param isLent whether the administrator must become a member of this role temporarily to create
 *   functions as it.
 */
export function installationStatements(
  installation: Installation,
  isLent: (role: string) => boolean = () => true,
): readonly Sql[] {
  const { tag, shards, server, version } = installation;
  const schema = ident(verbsSchema(tag, version));
  const ender = enderName(tag);
  const owners = joined([ender, ...shards].map(ident), sql`, `);
  const how = server >= SPLIT_MEMBERSHIP ? sql` with inherit false, set true` : sql``;
  const as = (role: string, statements: readonly Sql[]): readonly Sql[] => [
    ...(isLent(role) ? [sql`grant ${ident(role)} to current_user${how}`] : []),
    sql`set local role ${ident(role)}`,
    ...statements,
    AS_ADMIN,
    ...(isLent(role) ? [sql`revoke ${ident(role)} from current_user`] : []),
  ];
  return [
    sql`create schema if not exists ${schema} authorization pg_database_owner`,
    AS_OWNER,
    // other provisioners wait for this lock; verbs that read do not. The issuer logins may not take
    // it
    sql`lock table ${ident(declaredSchema(tag))}.declared in share row exclusive mode`,
    ...bodyStatements(installation),
    ...bodyGrants(installation),
    sql`grant usage, create on schema ${schema} to ${owners}`,
    AS_ADMIN,
    ...as(ender, enderStatements(installation)),
    ...shards.flatMap((shard) => as(shard, wrapperStatements(installation, shard))),
    AS_OWNER,
    sql`revoke create on schema ${schema} from ${owners}`,
  ];
}
