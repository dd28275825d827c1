/** What a dynamic role may be given, and what it is in SQL: on which relations, and its words. */
interface KindOfPrivilege {
  readonly on: "table" | "sequence";
  readonly privileges: readonly string[];
}

/**
 * Every privilege that a configuration can name, in the order in which they are granted. The
 * configuration, the plan, the constructs and the provisioner take theirs from here.
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

/** The names of all, in the order in which they are granted. */
export const PRIVILEGE_NAMES = Object.keys(PRIVILEGE_KINDS) as readonly PrivilegeKind[];

/** Privileges of a group role. A target is `schema.*` or `schema.name`, names as PostgreSQL stores them. */
export type Privileges = {
  readonly [Kind in PrivilegeKind]?: readonly string[];
} & {
  /** What no `schema.*` means, each `schema.name`. */
  readonly except?: readonly string[];
};
