import type { ProvisionPlan } from "./plan.ts";
import { PRIVILEGE_KINDS, PRIVILEGE_NAMES, type Privileges } from "./privilege-kinds.ts";

/** One privilege that a group role must have on one relation, or on all relations of a schema. */
export interface WantedPrivilege {
  readonly groupRole: string;
  readonly kind: "table" | "sequence";
  /** As SQL spells it, e.g. `SELECT`. */
  readonly privilege: string;
  readonly schema: string;
  /** `null`: every relation of this kind, now and later. */
  readonly name: string | null;
  /** Names that are excluded. Undefined if there are none. */
  readonly without?: readonly string[];
  /** The role may create objects, so CREATE on the schema is not checked. */
  readonly creates?: boolean;
}

/** The pattern of a target in the configuration: `schema.*` or `schema.name`. */
export const TARGET = /^([^.]+)\.(\*|[^.]+)$/;

/** A plan's privileges, one by one. The plan's targets must match {@link TARGET}. */
export const wantedPrivileges = (plan: ProvisionPlan): readonly WantedPrivilege[] =>
  Object.values(plan.roles).flatMap(({ groupRole, privileges, allowCreate }) =>
    PRIVILEGE_NAMES.flatMap((key) =>
      (privileges[key] ?? []).flatMap((target) => {
        const { on: kind, privileges: names } = PRIVILEGE_KINDS[key];
        const [, schema = "", name = ""] = TARGET.exec(target) ?? [];
        const without = name === "*" ? exceptedIn(privileges, schema) : [];
        return names.map((privilege) => ({
          groupRole,
          kind,
          privilege,
          schema,
          name: name === "*" ? null : name,
          ...(without.length > 0 && { without }),
          ...(allowCreate === true && { creates: true }),
        }));
      }),
    ),
  );

const exceptedIn = ({ except = [] }: Privileges, schema: string): readonly string[] =>
  except.flatMap((target) => {
    const [, of, name = ""] = TARGET.exec(target) ?? [];
    return of === schema ? [name] : [];
  });

/** The schemas that a group role must be able to enter, as pairs without repetition. */
export function wantedSchemas(
  wanted: readonly WantedPrivilege[],
): readonly { readonly groupRole: string; readonly schema: string }[] {
  const pairs = new Map(
    wanted.map(({ groupRole, schema }) => [`${groupRole}\n${schema}`, { groupRole, schema }]),
  );
  return [...pairs.values()];
}
