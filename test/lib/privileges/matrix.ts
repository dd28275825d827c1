import { ATTEMPTS, type Attempt } from "./actions.ts";
import { type Decision, decide, exceptionsOf, isLike, listOf, type Statement } from "./decide.ts";
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

/** Statements that name what they are not about: no list of attempts is long enough for them. */
const excepting = ({ roles, targets, endpoints }: World): readonly string[] =>
  [
    ...roles.map(({ name, statements }) => [name, statements] as const),
    ...targets.map(({ name, policy }) => [name, policy] as const),
    ...endpoints,
  ].flatMap(([name, statements]) =>
    statements.flatMap((each) => exceptionsOf(each).map((element) => `${name}: ${element}`)),
  );

/** Whether a statement allows a cell: its condition holds, and its principal is meant. */
const allows = async (statement: Statement, { principal, attempt, target }: Cell) =>
  isNamed(principal, statement) &&
  (await decide({
    principal: principal.arn,
    action: attempt.action,
    resource: target.arn,
    // a service has no policies; whom an account names, has
    identity: principal.statements,
    resourcePolicy: [statement],
    context: { ...principal.context, ...attempt.context },
  })) === "Allowed";

/**
 * Permissions of a world's identity, resource and trust policies that no allowed cell needs, and
 * what decides who may do what and is in no cell.
 */
export async function unexpected(world: World, cells: readonly Cell[]): Promise<readonly string[]> {
  const { roles, targets, unread } = world;
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
  const its: Permission[] = [];
  for (const { name, arn, policy } of targets)
    for (const each of permissionsOf(name, policy)) {
      const needing = allowed.filter((cell) => cell.target.arn === arn && needs(each)(cell));
      const answers = await Promise.all(needing.map((cell) => allows(each.statement, cell)));
      if (!answers.includes(true)) its.push(each);
    }
  const permissions = [...own, ...its].map(
    ({ holder, action, resource, statement }) =>
      `${holder}: ${action} on ${resource}${statement.Principal === undefined ? "" : ` for ${JSON.stringify(statement.Principal)}`}`,
  );
  return [...permissions, ...excepting(world), ...unread];
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
