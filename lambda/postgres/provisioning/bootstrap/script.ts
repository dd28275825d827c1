import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { wantedPrivileges } from "../../../../core/provisioning/privileges.ts";
import { ownerGroupsOf } from "../../../../core/rotation/rotated-users.ts";
import { adminPieces, maintenancePieces, rolePieces } from "./cluster.ts";
import { databasePieces } from "./database.ts";
import { assertWritable, comment, inComment, PINNED, type Piece } from "./psql.ts";

/**
 * The psql script with which a DBA grants what the provisioner could not grant itself. It is safe
 * to repeat: existing things are left unchanged. It contains no password.
 *
 * @throws ConfigError if a script cannot contain a name.
 */
export function bootstrapScript(plan: ProvisionPlan, admin: string): string {
  const named = wantedPrivileges(plan).flatMap(({ schema, name, without = [] }) => [
    schema,
    name ?? "",
    ...without,
  ]);
  assertWritable(plan.databases, [admin, plan.owner, ...ownerGroupsOf(plan), ...named]);
  const pieces = [
    header(plan, admin),
    `\\set ON_ERROR_STOP on\n${PINNED}`,
    ...adminPieces(plan, admin),
    ...rolePieces(plan, admin),
    ...maintenancePieces(plan, admin),
    ...plan.databases.flatMap((database) => databasePieces(plan, admin, database)),
  ];
  return `${pieces.join("\n\n")}\n`;
}

const header = (
  { database, databases, maintenanceDatabase, tag, owner }: ProvisionPlan,
  admin: string,
): Piece =>
  comment(
    `Mayfly: preparation by a DBA for the database ${database} of the configuration, tag ${tag}.`,
    "",
    `It creates Mayfly's own roles and the database "${maintenanceDatabase}", grants the groups their privileges in`,
    `${databases.map(inComment).join(", ")}, and gives ${inComment(admin)} power over those roles, but over no data.`,
    "",
    "It sets no password: the provisioner sets those of Mayfly's logins when the stack is deployed.",
    `If it creates ${inComment(admin)}, set a password for it with \\password, and put that into the stack's admin secret.`,
    "It revokes nothing and may be run again. Run it again after a change of the configuration.",
    "",
    "Run it as a superuser; or, on RDS, as the master user, who must be a member of the owner,",
    `${inComment(owner)}:`,
    "",
    "  psql -X --dbname postgres --file <this file>",
  );
