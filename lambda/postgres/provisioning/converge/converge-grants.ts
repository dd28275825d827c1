import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { wantedPrivileges } from "../../../../core/provisioning/privileges.ts";
import type { Changes } from "../../../../core/provisioning/report.ts";
import { ident, sql } from "../../connection/sql.ts";
import { madeByLeases } from "../check/check-database.ts";
import { namingTriggers } from "../check/event-triggers.ts";
import { problem, refuseIf, someOf } from "../check/problems.ts";
import type { ClusterConnection } from "../cluster-connection.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { databasesGranted } from "../remove/drop-roles.ts";
import { leftovers, withdraw } from "../remove/withdraw.ts";
import { entrantsOf } from "../wanted-roles.ts";
import { excessIn } from "./excess.ts";
import { unwantedIn, unwantedOnDatabases } from "./grant-entries.ts";
import { grantPrivileges } from "./privileges.ts";

/**
 * Grant and withdraw the groups' privileges according to the plan, in its databases and in those
 * that it no longer names.
 *
 * @throws ConfigError if something cannot be granted or withdrawn, with the SQL that a DBA must
 *   run.
 */
export async function convergeGrants(
  { log, warn }: Pick<ProvisionDeps, "log" | "warn">,
  connection: ClusterConnection,
  plan: ProvisionPlan,
): Promise<Pick<Changes, "privilegesGranted" | "privilegesWithdrawn">> {
  let privilegesGranted = 0;
  for (const database of plan.databases) {
    await connection.inDatabase(database, async (session) => {
      const granted = await namingTriggers(session, database, () =>
        grantPrivileges(session, database, plan),
      );
      privilegesGranted += granted;
      log("privileges granted and verified", { database, granted });
    });
  }
  const wanted = JSON.stringify(wantedPrivileges(plan));
  const { taken, left } = await withdrawn(log, connection, plan, plan.databases, wanted);
  refuseIf(left, "privileges that the configuration does not name stay in force");
  for (const database of plan.databases)
    await connection.inDatabase(database, async (session) => {
      const made = await madeByLeases(session, wantedPrivileges(plan));
      for (const what of made) warn("a pattern leaves out what a lease made", { database, what });
      const excess = await excessIn(session, plan, wanted);
      if (excess.length > 0)
        warn("groups can do more than the configuration says, by PUBLIC, membership or ownership", {
          database,
          what: someOf(excess),
        });
    });
  return { privilegesGranted, privilegesWithdrawn: taken };
}

/** The result of withdrawing privileges. */
interface Withdrawn {
  readonly taken: number;
  /** The remaining privileges, with the SQL that a DBA must run. */
  readonly left: readonly string[];
  /** Roles that keep CONNECT on a database, because the administrator cannot become the grantor. */
  readonly holders: readonly string[];
}

/** Withdraw every privilege of the groups. */
export const withdrawAll = (
  { log }: Pick<ProvisionDeps, "log">,
  connection: ClusterConnection,
  plan: ProvisionPlan,
): Promise<Withdrawn> => withdrawn(log, connection, plan, [], "[]");

async function withdrawn(
  log: ProvisionDeps["log"],
  { admin, version, session, inDatabase }: ClusterConnection,
  plan: ProvisionPlan,
  databases: readonly string[],
  wanted: string,
): Promise<Withdrawn> {
  const { tag, owner } = plan;
  const problems: string[] = [];
  let taken = 0;
  for (const { name: database, open, closed } of await databasesGranted(session, tag)) {
    if (!open) {
      const entry = closed
        ? sql`ALTER DATABASE ${ident(database)} WITH ALLOW_CONNECTIONS true`
        : sql`GRANT CONNECT ON DATABASE ${ident(database)} TO ${ident(admin.username)}`;
      if (!databases.includes(database))
        problems.push(
          problem(
            `the groups hold privileges in database ${someOf([database])}, which cannot be entered to take them away`,
            entry,
          ),
        );
      continue;
    }
    const here = databases.includes(database) ? wanted : "[]";
    const { found, left } = await inDatabase(database, (inside) =>
      namingTriggers(inside, database, () =>
        withdraw(inside, `withdraw privileges in database ${database}`, () =>
          unwantedIn(inside, version, [here, tag, owner]),
        ),
      ),
    );
    taken += found - left.length;
    if (found > left.length) log("privileges withdrawn", { database, count: found - left.length });
    problems.push(...leftovers(left).map((each) => `in database "${database}": ${each}`));
  }
  const doors = entrantsOf(plan).flatMap((role) =>
    databases.map((database) => ({ role, database })),
  );
  // the issuer logins lose CONNECT on the maintenance database only in a complete removal
  const pattern = `^mf_${tag}_(group_|janitor$${databases.length === 0 ? "|login_" : ""})`;
  const { found, left } = await withdraw(session, "withdraw privileges on databases", () =>
    unwantedOnDatabases(session, version, doors, pattern),
  );
  return {
    taken: taken + found - left.length,
    left: [...problems, ...leftovers(left)],
    holders: left.map(({ grantee }) => grantee),
  };
}
