import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { wantedPrivileges, wantedSchemas } from "../../../../core/provisioning/privileges.ts";
import { ownerGroupsOf } from "../../../../core/rotation/rotated-users.ts";
import { literal, sql } from "../../connection/sql.ts";
import { admit } from "../converge/connect.ts";
import { relationGaps } from "../converge/gaps.ts";
import { byDefault, enter } from "../converge/privileges.ts";
import { entrantsOf } from "../wanted-roles.ts";
import { about, connectTo, eachValueOf, inComment, type Piece, runIf, statements } from "./psql.ts";

/** Grant the groups' privileges in one application database. */
export function databasePieces(
  plan: ProvisionPlan,
  admin: string,
  database: string,
): readonly Piece[] {
  const wanted = wantedPrivileges(plan);
  const list = literal(`[${wanted.map((each) => JSON.stringify(each)).join(",\n  ")}]`);
  return [
    about([`The database ${inComment(database)}.`], connectTo(database)),
    "begin;",
    about(
      ["Roles that may connect."],
      statements(...entrantsOf(plan).map((role) => admit({ database, role }))),
    ),
    runIf(
      sql`not pg_catalog.has_database_privilege(${literal(admin)}, ${literal(database)}, 'CONNECT')`,
      admit({ database, role: admin }),
    ),
    ...ownerGroupsOf(plan).map((role) =>
      runIf(
        sql`exists (select from pg_catalog.pg_roles g where g.rolname = ${literal(role)}
  and not pg_catalog.has_database_privilege(g.oid, ${literal(database)}, 'CONNECT'))`,
        admit({ database, role }),
      ),
    ),
    about(
      ["Privileges of the groups: on the schemas, and on objects that the owner creates later."],
      statements(
        ...wantedSchemas(wanted).map(enter),
        ...wanted.filter(({ name }) => name === null).map((each) => byDefault(each, plan.owner)),
      ),
    ),
    about(
      [
        "Privileges on existing objects that are not granted yet. Tables of extensions are left",
        "out.",
      ],
      eachValueOf(sql`select pg_catalog.format('grant %s on %s %I.%I to %I',
  gap.privilege, gap.kind, gap.schema, gap.name, gap."groupRole")
from (${relationGaps(list)}) as gap`),
    ),
    "commit;",
  ];
}
