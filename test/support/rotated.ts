import { groupRoleName } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import type { RotatedUser } from "../../core/rotation/settings.ts";
import { Secret } from "../../core/secret.ts";
import type { Login } from "../../lambda/postgres/connection/login.ts";
import { ROTATED, runAs, type TestDatabase } from "./provisioned.ts";

/** A plan with users of the secrets `reports` and `writer`, of a tag's own. */
export interface RotatedPlan {
  readonly plan: ProvisionPlan;
  /** `single-user`, in the group of the dynamic role `readonly`. */
  readonly reports: string;
  /** `alternating-users`, of the tables' owner. */
  readonly writers: readonly [string, string];
}

/** Put a version of a rotated secret under a staging label; the password names it. */
export function putVersion(
  { secrets, database }: TestDatabase,
  secret: keyof typeof ROTATED,
  [username, password]: readonly [string, string],
  stage = "AWSCURRENT",
): void {
  const value = { engine: "postgres", dbname: database, username, password: new Secret(password) };
  secrets.label(ROTATED[secret], stage, value);
}

/**
 * Rotated users as a stack has them, with their secrets, which nobody has rotated yet. The owner is
 * the administrator's to grant, as a DBA makes it.
 */
export async function rotatedPlan(test: TestDatabase): Promise<RotatedPlan> {
  const { tag, owner, plan } = test;
  const reports = `reports_${tag}`;
  const writers = [`writer_a_${tag}`, `writer_b_${tag}`] as const;
  putVersion(test, "reports", [reports, "first-of-reports"]);
  putVersion(test, "writer", [writers[0], "first-of-writer"]);
  return {
    plan: withUsers(plan, {
      reports: {
        strategy: "single-user",
        usernames: [reports],
        group: groupRoleName(tag, "readonly"),
      },
      writer: { strategy: "alternating-users", usernames: writers, group: owner },
    }),
    reports,
    writers,
  };
}

export const withUsers = (
  plan: ProvisionPlan,
  rotatedUsers: Readonly<Record<string, RotatedUser>>,
): ProvisionPlan => ({ ...plan, rotatedUsers });

/** Who a login is to PostgreSQL, or the SQLSTATE with which it is refused. */
export async function whoIs(login: Login): Promise<unknown> {
  try {
    return (await runAs(login, "select current_user::text as who"))[0]?.who;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

/** What there is of roles: the comment, and whether they can log in. */
export async function rolesNamed(
  { superuser }: TestDatabase,
  names: readonly string[],
): Promise<Record<string, unknown>[]> {
  const list = names.map((name) => `'${name}'`).join(", ");
  return runAs(
    superuser(),
    `select rolname::text as name, rolcanlogin as login, shobj_description(oid, 'pg_authid') as comment
     from pg_roles where rolname in (${list}) order by 1`,
  );
}

/** The SQL in the one problem of an error. */
export const remedyIn = (error: unknown): string =>
  /have a DBA run: (.*);$/m.exec((error as Error).message)?.[1] ?? "";
