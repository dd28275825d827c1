import type { Privileges } from "../provisioning/plan.ts";
import type { ParsedRole } from "./parsed.ts";
import {
  complain,
  isObjectOf,
  type Place,
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

/** A target of a privilege: `schema.*` or `schema.table`. */
function isTarget(text: string): boolean {
  const [schema, name, ...rest] = text.split(".");
  return !text.includes("\0") && rest.length === 0 && fits(schema ?? "") && fits(name ?? "");
}

function readPrivileges(place: Place): Privileges {
  const found: [string, readonly string[]][] = [];
  for (const privilege of PRIVILEGES) {
    const list = within(place, privilege);
    if (list.value === undefined) continue;
    const targets = readList(list, 'list targets, e.g. ["public.*"]', (element) =>
      readText(
        element,
        isTarget,
        "is not a target",
        'write "schema.*" or "schema.table", e.g. "public.*"',
      ),
    );
    found.push([privilege, targets]);
  }
  if (found.length === 0)
    place.problems.push(
      `${place.path}: no privilege; add at least one of ${PRIVILEGES.join(", ")}, e.g. select: ["public.*"]`,
    );
  return Object.fromEntries(found);
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
  if (!isObjectOf(place, [...PRIVILEGES, ...LIMITS], "describe the role, with ttl and maxTtl"))
    return undefined;
  const maxLeases = readWhole(within(place, "maxLeases"), 1, MOST_LEASES, DEFAULT_MAX_LEASES);
  const perConsumer = within(place, "maxLeasesPerConsumer");
  return {
    privileges: readPrivileges(place),
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
