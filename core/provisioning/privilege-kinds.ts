/** One kind of privilege, and its SQL: the kind of relation and the keywords. */
interface KindOfPrivilege {
  readonly on: "table" | "sequence";
  readonly privileges: readonly string[];
}

/**
 * Every privilege that a configuration can name, in the order of granting. The configuration, the
 * plan, the constructs and the provisioner use this list.
 */
export const PRIVILEGE_KINDS = {
  select: { on: "table", privileges: ["SELECT"] },
  insert: { on: "table", privileges: ["INSERT"] },
  update: { on: "table", privileges: ["UPDATE"] },
  delete: { on: "table", privileges: ["DELETE"] },
  /** USAGE and SELECT on sequences, for serial columns. */
  usage: { on: "sequence", privileges: ["USAGE", "SELECT"] },
} as const satisfies Readonly<Record<string, KindOfPrivilege>>;

/** A privilege by its name in the configuration. */
export type PrivilegeKind = keyof typeof PRIVILEGE_KINDS;

/** All names, in the order of granting. */
export const PRIVILEGE_NAMES = Object.keys(PRIVILEGE_KINDS) as readonly PrivilegeKind[];

/** Privileges of a group role. A target is `schema.*` or `schema.name`, names as PostgreSQL stores them. */
export type Privileges = {
  readonly [Kind in PrivilegeKind]?: readonly string[];
} & {
  /** Relations that no `schema.*` covers, each `schema.name`. */
  readonly except?: readonly string[];
};
