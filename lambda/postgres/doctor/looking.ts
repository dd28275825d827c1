import { byHand, type Flaw, type Seen } from "../../../core/doctor/examiner.ts";
import type { Finding, Fix } from "../../../core/doctor/finding.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { visible } from "../../../core/visible.ts";
import type { Session } from "../connection/session.ts";
import type { Sql } from "../connection/sql.ts";
import { onOneLine } from "../provisioning/check/problems.ts";

/** A connection to the maintenance database as the issuer login, which reads catalogs only. */
export interface ClusterLook {
  readonly session: Session;
  readonly plan: ProvisionPlan;
  /** `server_version_num`, e.g. 180004. */
  readonly version: number;
  /** Who owns the maintenance database: the administrator. */
  readonly admin: string;
  /** The names of the groups. */
  readonly groups: readonly string[];
}

/** A connection to an application database as the janitor, which reads catalogs only. */
export interface DatabaseLook extends ClusterLook {
  readonly database: string;
  /** Who owns it. */
  readonly owner: string;
}

/** One check, on a connection. It answers with one finding at least. */
export type Look<In extends ClusterLook = ClusterLook> = (look: In) => Promise<readonly Finding[]>;

/** A lease may choose a name so that it reads as another finding. */
const shown = <T extends Seen>(seen: T): T => ({
  ...seen,
  subject: visible(seen.subject),
  evidence: visible(seen.evidence),
});

export const ok = (seen: Seen): Finding => ({ area: "database", verdict: "ok", ...shown(seen) });

export const flaw = ({ fix, ...found }: Flaw): Finding => ({
  area: "database",
  ...shown(found),
  fix: fix.kind === "step" ? byHand(visible(fix.text)) : fix,
});

/** The flaws, or what is fine if there are none. */
export const flawsOr = (flaws: readonly Flaw[], fine: Seen): readonly Finding[] =>
  flaws.length > 0 ? flaws.map(flaw) : [ok(fine)];

/** Statements that mend something, as a user in a database. Each is one line, and complete. */
export const run = (
  { database, as }: { readonly database: string; readonly as: string },
  statements: readonly Sql[],
): Fix => ({
  kind: "sql",
  database,
  as,
  statements: statements.map((each) => `${onOneLine(each)};`),
});

/** "1 table", "3 tables" */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : "s"}`;
