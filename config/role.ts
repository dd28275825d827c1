import * as v from "valibot";
import {
  PRIVILEGE_NAMES,
  type PrivilegeKind,
  type Privileges,
} from "../core/provisioning/privilege-kinds.ts";
import { boolean, type Field, list, object, ruled, says, whole } from "./schema/fields.ts";

/** Seconds. A shorter lease could end before its caller uses it: schedules are not precise. */
const SHORTEST_TTL = 10;
/** Seconds: 32 days. Mayfly is for short-lived logins. */
const LONGEST_TTL = 32 * 86_400;

/** With more live leases than this, counting them for the limits becomes slow. */
const MOST_LEASES = 100_000;
const DEFAULT_MAX_LEASES = 1_000;
const MOST_CONNECTIONS = 10_000;
const DEFAULT_CONNECTION_LIMIT = 20;

const fits = (name: string): boolean => name !== "" && Buffer.byteLength(name) <= 63;

const FORM = 'write "schema.*" or "schema.table", e.g. "public.*"';

/** What is wrong with a target, `schema.*` or `schema.table`. */
function faultOf(text: string): string | undefined {
  if (/["'`]/.test(text))
    return says(
      "is quoted",
      'write names as PostgreSQL stores them, without quotes, e.g. "public.Orders"; what has a quote or a dot in its name is only in "schema.*"',
    );
  const [schema = "", name = "", ...rest] = text.split(".");
  if (/\p{Cc}/u.test(text) || [schema, name].some((part) => part !== part.trim()))
    return says("begins or ends with a space, or has a control character", FORM);
  if (rest.length > 0 || !fits(schema) || !fits(name)) return says("is not a target", FORM);
  if (schema.includes("*"))
    return says("names no schema", 'write a target for each schema, e.g. "public.*", "billing.*"');
  if (schema.startsWith("pg_") || schema === "information_schema")
    return says(
      "is in a system schema of PostgreSQL",
      "remove it: everybody can read the public objects there, and Mayfly grants nothing else",
    );
  if (name.includes("*") && name !== "*")
    return says("is a pattern", 'write "schema.*", or each table by its whole name');
  return undefined;
}

const notTarget = says("is not a target", FORM);
const target: Field<string> = v.pipe(
  v.string(notTarget),
  v.check(
    (text) => faultOf(text) === undefined,
    ({ input }) => faultOf(input) ?? notTarget,
  ),
);
const targets = v.optional(list('list targets, e.g. ["public.*"]', target));

/** One list of targets for each kind of privilege. */
const privilegeEntries = Object.fromEntries(
  PRIVILEGE_NAMES.map((name) => [name, targets]),
) as Readonly<Record<PrivilegeKind, typeof targets>>;

/** An exception must be covered by a pattern, and no other privilege may name it. */
function faultOfException(excepted: string, privileges: Privileges): string | undefined {
  const all = excepted.replace(/\..*$/, ".*");
  if (excepted === all)
    return says("is a pattern", `list single tables, or take ${all} out of the privileges`);
  const covering = PRIVILEGE_NAMES.filter((name) => privileges[name]?.includes(all));
  if (covering.length === 0)
    return says("is in no target of this role", `remove it, or grant "${all}"`);
  const both = covering.find((name) => privileges[name]?.includes(excepted));
  return both && says(`is also named in ${both}`, "remove it from one of the two");
}

interface RoleFields extends Privileges {
  readonly ttl: number;
  readonly maxTtl: number;
  readonly allowCreate: boolean;
  readonly maxLeases: number;
  readonly maxLeasesPerConsumer?: number | undefined;
  readonly connectionLimit: number;
}

const isKnown = (name: string): boolean => PRIVILEGE_NAMES.some((each) => each === name);

/**
 * A dynamic role. Privileges name `schema.*` or `schema.table`; at least one is required.
 *
 * @param length the schema of a length of time; it returns seconds.
 */
export const roleSchema = <Length>(length: Field<Length, number>) =>
  ruled(
    object(
      {
        ...privilegeEntries,
        /** Relations that no `schema.*` covers, each `schema.name`. */
        except: v.optional(list('list tables, e.g. ["public.audit"], or remove it', target)),
        /**
         * Deploy the role even if it can write and its leases can create objects in its databases.
         * @default false
         */
        allowCreate: v.optional(boolean(), false),
        /** Default life of a lease, e.g. `"1h"`; at least 10 seconds. */
        ttl: v.pipe(
          length,
          v.minValue(SHORTEST_TTL, says("is shorter than 10 seconds", 'write at least "10s"')),
        ),
        /** Longest life of a lease, renewals included; at most 32 days. */
        maxTtl: v.pipe(
          length,
          v.maxValue(LONGEST_TTL, says("is longer than 32 days", 'write at most "32d"')),
        ),
        /**
         * Maximum of live leases at one time, of all consumers together.
         * @default 1000
         */
        maxLeases: v.optional(whole(1, MOST_LEASES), DEFAULT_MAX_LEASES),
        /**
         * Maximum of live leases of one consumer.
         * @default - as maxLeases
         */
        maxLeasesPerConsumer: v.optional(whole(1, MOST_LEASES)),
        /**
         * `CONNECTION LIMIT` of each lease.
         * @default 20
         */
        connectionLimit: v.optional(whole(1, MOST_CONNECTIONS), DEFAULT_CONNECTION_LIMIT),
      },
      "describe the role, with ttl and maxTtl",
    ),
    (role: RoleFields, report, isFine) => {
      const named = Object.keys(role).filter(
        (key) => isKnown(key) && role[key as PrivilegeKind] !== undefined,
      );
      if (named.length === 0)
        report(
          [],
          `no privilege; add at least one of ${PRIVILEGE_NAMES.join(", ")}, e.g. select: ["public.*"]`,
        );
      for (const [index, excepted] of (isFine("except") ? (role.except ?? []) : []).entries()) {
        const fault = faultOfException(excepted, role);
        if (fault !== undefined) report(["except", index], fault);
      }
      if (isFine("ttl") && isFine("maxTtl") && role.ttl > role.maxTtl)
        report(["ttl"], says("is longer than maxTtl ({maxTtl})", "lower ttl or raise maxTtl"));
      const { maxLeases, maxLeasesPerConsumer: one = 1 } = role;
      if (isFine("maxLeases") && isFine("maxLeasesPerConsumer") && one > maxLeases)
        report(
          ["maxLeasesPerConsumer"],
          says(`is not a whole number from 1 to ${maxLeases}`, "write one"),
        );
    },
  );

/** A dynamic role with every default filled in. Lengths are in seconds. */
export interface ParsedRole {
  readonly privileges: Privileges;
  /** Undefined means false. */
  readonly allowCreate?: boolean;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly maxLeases: number;
  readonly maxLeasesPerConsumer: number;
  readonly connectionLimit: number;
}

/** A role whose fields were read. */
export function toRole(fields: RoleFields): ParsedRole {
  const { ttl, maxTtl, maxLeases, maxLeasesPerConsumer, connectionLimit, allowCreate } = fields;
  const given = [...PRIVILEGE_NAMES, "except" as const].flatMap((name) =>
    fields[name] === undefined ? [] : [[name, fields[name]] as const],
  );
  return {
    privileges: Object.fromEntries(given),
    ...(allowCreate && { allowCreate }),
    ttlSeconds: ttl,
    maxTtlSeconds: maxTtl,
    maxLeases,
    maxLeasesPerConsumer: maxLeasesPerConsumer ?? maxLeases,
    connectionLimit,
  };
}
