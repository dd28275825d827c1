import type { Privileges } from "../core/provisioning/plan.ts";
import type { ParsedRole } from "./parsed.ts";
import {
  complain,
  isObjectOf,
  type Place,
  readBoolean,
  readList,
  readSeconds,
  readText,
  readWhole,
  within,
} from "./place.ts";

const PRIVILEGES = ["select", "insert", "update", "delete", "usage"] as const;
const LIMITS = ["ttl", "maxTtl", "maxLeases", "maxLeasesPerConsumer", "connectionLimit"];

/** Seconds. Below it the schedule's precision and a slow caller eat the lease. */
const SHORTEST_TTL = 10;
/** Seconds: 32 days. A login that lives longer is not what this is for. */
const LONGEST_TTL = 32 * 86_400;

/** More live leases than this and the limits' own count gets slow. */
const MOST_LEASES = 100_000;
const DEFAULT_MAX_LEASES = 1_000;
const MOST_CONNECTIONS = 10_000;
const DEFAULT_CONNECTION_LIMIT = 20;

const fits = (name: string): boolean => name !== "" && Buffer.byteLength(name) <= 63;

const FORM = 'write "schema.*" or "schema.table", e.g. "public.*"';

/** What is wrong with a target, `schema.*` or `schema.table`, and what to write instead. */
function faultOf(text: string): readonly [fault: string, remedy: string] | undefined {
  if (/["'`]/.test(text))
    return [
      "is quoted",
      'write names as PostgreSQL stores them, without quotes, e.g. "public.Orders"; what has a quote or a dot in its name is only in "schema.*"',
    ];
  const [schema = "", name = "", ...rest] = text.split(".");
  if (/\p{Cc}/u.test(text) || [schema, name].some((part) => part !== part.trim()))
    return ["begins or ends with a space, or has a control character", FORM];
  if (rest.length > 0 || !fits(schema) || !fits(name)) return ["is not a target", FORM];
  if (schema.includes("*"))
    return ["names no schema", 'write a target for each schema, e.g. "public.*", "billing.*"'];
  if (schema.startsWith("pg_") || schema === "information_schema")
    return [
      "is in a schema of PostgreSQL's own",
      "take it out: what is meant for everybody there can be read without a privilege, and nothing else is to be lent",
    ];
  if (name.includes("*") && name !== "*")
    return ["is a pattern", 'write "schema.*", or each table by its whole name'];
  return undefined;
}

const readTargets = (list: Place, remedy: string): readonly string[] =>
  readList(list, remedy, (element) => {
    const { value } = element;
    const [fault, instead] = (typeof value === "string" ? faultOf(value) : undefined) ?? [];
    return readText(
      element,
      () => fault === undefined,
      fault ?? "is not a target",
      instead ?? FORM,
    );
  });

function readPrivileges(place: Place): Privileges {
  const found: [string, readonly string[]][] = [];
  for (const privilege of PRIVILEGES) {
    const list = within(place, privilege);
    if (list.value === undefined) continue;
    found.push([privilege, readTargets(list, 'list targets, e.g. ["public.*"]')]);
  }
  if (found.length === 0)
    place.problems.push(
      `${place.path}: no privilege; add at least one of ${PRIVILEGES.join(", ")}, e.g. select: ["public.*"]`,
    );
  const except = readExcept(within(place, "except"), found);
  return { ...Object.fromEntries(found), ...(except.length > 0 && { except }) };
}

/** What is left out must be in something, and nothing may ask for it in the same breath. */
function readExcept(
  place: Place,
  privileges: readonly (readonly [string, readonly string[]])[],
): readonly string[] {
  if (place.value === undefined) return [];
  const left = readTargets(place, 'list tables, e.g. ["public.audit"], or remove it');
  for (const target of left) {
    const at = within(place, Array.isArray(place.value) ? place.value.indexOf(target) : 0);
    const all = target.replace(/\..*$/, ".*");
    const covering = privileges.filter(([, targets]) => targets.includes(all));
    const [named] = covering.find(([, targets]) => targets.includes(target)) ?? [];
    if (target === all)
      complain(at, "is a pattern", `list single tables, or take ${all} out of the privileges`);
    else if (covering.length === 0)
      complain(at, "is in no target of this role", `remove it, or grant "${all}"`);
    else if (named !== undefined)
      complain(at, `is also named in ${named}`, "remove it from one of the two");
  }
  return left;
}

function readTtls(place: Place): { readonly ttlSeconds: number; readonly maxTtlSeconds: number } {
  const [ttl, maxTtl] = [within(place, "ttl"), within(place, "maxTtl")];
  const [ttlSeconds, maxTtlSeconds] = [readSeconds(ttl), readSeconds(maxTtl)];
  if (ttlSeconds !== undefined && ttlSeconds < SHORTEST_TTL)
    complain(ttl, "is shorter than 10 seconds", 'write at least "10s"');
  if (maxTtlSeconds !== undefined && maxTtlSeconds > LONGEST_TTL)
    complain(maxTtl, "is longer than 32 days", 'write at most "32d"');
  if (ttlSeconds !== undefined && maxTtlSeconds !== undefined && ttlSeconds > maxTtlSeconds)
    complain(ttl, `is longer than maxTtl ("${String(maxTtl.value)}")`, "lower ttl or raise maxTtl");
  return { ttlSeconds: ttlSeconds ?? SHORTEST_TTL, maxTtlSeconds: maxTtlSeconds ?? LONGEST_TTL };
}

/** Read one dynamic role. */
export function readRole(place: Place): ParsedRole | undefined {
  if (
    !isObjectOf(
      place,
      [...PRIVILEGES, "except", "allowCreate", ...LIMITS],
      "describe the role, with ttl and maxTtl",
    )
  )
    return undefined;
  const maxLeases = readWhole(within(place, "maxLeases"), 1, MOST_LEASES, DEFAULT_MAX_LEASES);
  const perConsumer = within(place, "maxLeasesPerConsumer");
  return {
    privileges: readPrivileges(place),
    ...(readBoolean(within(place, "allowCreate"), false) && { allowCreate: true }),
    ...readTtls(place),
    maxLeases,
    maxLeasesPerConsumer: readWhole(perConsumer, 1, maxLeases, maxLeases),
    connectionLimit: readWhole(
      within(place, "connectionLimit"),
      1,
      MOST_CONNECTIONS,
      DEFAULT_CONNECTION_LIMIT,
    ),
  };
}
