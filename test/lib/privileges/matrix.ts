import { ATTEMPTS, type Attempt } from "./actions.ts";
import { type Decision, decide, isLike, listOf, type Statement } from "./decide.ts";
import type { Principal, Target, World } from "./world.ts";

/** One attempt of one principal on one target, and what IAM decides. */
export interface Cell {
  readonly principal: Principal;
  readonly attempt: Attempt;
  readonly target: Target;
  readonly decision: Decision;
}

/** What a principal may do: the names of targets, by the name of an attempt. Everything else is denied. */
export type Privileges = Readonly<Record<string, readonly string[]>>;

/** The privileges of every principal. */
export type Table = Readonly<Record<string, Privileges>>;

/** Policies beside those of the template. */
export interface Beside {
  readonly boundary?: readonly Statement[];
}

/** Every attempt of a principal on every target. */
export async function cellsOf(
  principal: Principal,
  { targets }: World,
  beside: Beside = {},
): Promise<readonly Cell[]> {
  return Promise.all(
    targets.flatMap((target) =>
      ATTEMPTS[target.kind].map(async (attempt: Attempt) => ({
        principal,
        attempt,
        target,
        decision: await decide({
          ...beside,
          principal: principal.arn,
          action: attempt.action,
          resource: target.arn,
          identity: principal.statements,
          resourcePolicy: target.policy,
          context: { ...principal.context, ...attempt.context },
        }),
      })),
    ),
  );
}

/** The cells with one decision, as a table shows them. Names and attempts are sorted. */
export function privilegesIn(cells: readonly Cell[], decision: Decision = "Allowed"): Privileges {
  const found = new Map<string, string[]>();
  for (const { attempt, target, decision: decided } of cells)
    if (decided === decision)
      found.set(attempt.name, [...(found.get(attempt.name) ?? []), target.name].toSorted());
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** As `privilegesIn` writes them. */
export const sorted = (privileges: Privileges): Privileges =>
  Object.fromEntries(
    Object.entries(privileges)
      .filter(([, names]) => names.length > 0)
      .map(([attempt, names]) => [attempt, names.toSorted()] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

/** A permission of a template: one action on one resource, of one statement. */
interface Permission {
  readonly holder: string;
  readonly statement: Statement;
  readonly action: string;
  readonly resource: string;
}

const permissionsOf = (holder: string, statements: readonly Statement[]): readonly Permission[] =>
  statements
    .filter(({ Effect }) => Effect === "Allow")
    .flatMap((statement) =>
      listOf(statement.Action).flatMap((action) =>
        listOf(statement.Resource).map((resource) => ({ holder, statement, action, resource })),
      ),
    );

/** Permissions of a world's identity, resource and trust policies that no allowed cell needs. */
export function unexpected({ roles, targets }: World, cells: readonly Cell[]): readonly string[] {
  const allowed = cells.filter(({ decision }) => decision === "Allowed");
  const needs =
    ({ action, resource }: Permission) =>
    (cell: Cell): boolean =>
      isLike(cell.attempt.action, action) && isLike(cell.target.arn, resource);
  const own = roles.flatMap(({ name, arn, statements }) =>
    permissionsOf(name, statements).filter(
      (each) => !allowed.some((cell) => cell.principal.arn === arn && needs(each)(cell)),
    ),
  );
  const its = targets.flatMap(({ name, arn, policy }) =>
    permissionsOf(name, policy).filter(
      (each) =>
        !allowed.some(
          (cell) =>
            cell.target.arn === arn && needs(each)(cell) && isNamed(cell.principal, each.statement),
        ),
    ),
  );
  return [...own, ...its].map(
    ({ holder, action, resource, statement }) =>
      `${holder}: ${action} on ${resource}${statement.Principal === undefined ? "" : ` for ${JSON.stringify(statement.Principal)}`}`,
  );
}

/** Whether a statement's principals include one, or the account that it is in. */
function isNamed({ arn }: Principal, { Principal: named }: Statement): boolean {
  if (named === undefined) return false;
  if (typeof named === "string") return named === "*";
  const account = arn.split(":")[4] ?? "";
  return Object.values(named)
    .flatMap(listOf)
    .some((each) => each === arn || each === `arn:aws:iam::${account}:root` || each === account);
}

/**
 * The table as Markdown, one line for each principal: its actions by what it may do them on. What
 * every function may is left out.
 */
export const asMarkdown = (table: Table): string =>
  [
    "| principal | may |",
    "| --- | --- |",
    ...Object.entries(table).map(([principal, privileges]) => {
      const shown = Object.entries(sorted(privileges)).filter(([name]) => !OF_ALL.test(name));
      const byNames = new Map<string, string[]>();
      for (const [attempt, names] of shown)
        byNames.set(names.join(", "), [...(byNames.get(names.join(", ")) ?? []), attempt]);
      const lines = [...byNames].map(([names, attempts]) => `${attempts.join(", ")} on ${names}`);
      return `| ${principal} | ${lines.join("; ") || "nothing"} |`;
    }),
  ].join("\n");

/** A function's own log, and its network interfaces. */
const OF_ALL = /^(?:logs|ec2):/;
