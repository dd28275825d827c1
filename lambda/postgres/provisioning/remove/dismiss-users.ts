import { StatementRejectedError } from "../../../../core/errors.ts";
import {
  endEverywhere,
  followReaders,
  forOnePass,
  unseenIn,
} from "../../../../core/leases/readers.ts";
import { decideKeep } from "../../../../core/leases/revocation/end-and-drop.ts";
import { endAllSessions } from "../../../../core/leases/sessions.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { wantedUsers } from "../../../../core/rotation/rotated-users.ts";
import type { Login } from "../../connection/login.ts";
import type { Session } from "../../connection/session.ts";
import { ident, type Sql, sql } from "../../connection/sql.ts";
import { DENIED, DEPENDENTS } from "../../connection/sqlstates.ts";
import { foreignRolesProblem } from "../check/cluster-problems.ts";
import { someOf } from "../check/problems.ts";
import type { ClusterConnection } from "../cluster-connection.ts";
import { statesOf } from "../converge/make-rotated-users.ts";
import { isElevated, isLeaving, latchUser, type UserState } from "../converge/rotated-users.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { keepersOf } from "./drop-roles.ts";
import { type LeaseConnection, withLeases } from "./leases.ts";

/** SQLSTATEs: the administrator may not change the role; or something unknown depends on it. */
const KEPT = new Set([DENIED, DEPENDENTS]);

/**
 * Remove users of the tag that are no longer in the plan: remove LOGIN, password and sessions, then
 * drop the role, unless something depends on it. Adopted users are not touched.
 *
 * @param issuer ends the sessions; without it, users are shut but kept.
 * @returns the number of dropped users.
 */
export async function dismissUsers(
  deps: ProvisionDeps,
  { admin, session, version }: Pick<ClusterConnection, "admin" | "session" | "version">,
  plan: ProvisionPlan,
  issuer: Login | undefined,
): Promise<number> {
  const names = wantedUsers(plan).map(({ name }) => name);
  const states = await statesOf(session, version, plan);
  const leaving = states.filter((state) => isLeaving(plan.tag, names, state));
  const shut: UserState[] = [];
  for (const state of leaving) {
    if (isElevated(state)) keep(deps, state, "it has more power than Mayfly gave it");
    else if (await shutUser(session, state)) shut.push(state);
    else {
      const why = foreignRolesProblem([state.name], admin.username, version);
      keep(deps, state, `it may still log in: ${why}`);
    }
  }
  if (shut.length === 0) return 0;
  if (issuer === undefined) {
    for (const state of shut) keep(deps, state, "no login of Mayfly's is left to end its sessions");
    return 0;
  }
  return withLeases(deps, plan, issuer, async (leases) => {
    let dropped = 0;
    const one = { ...leases, deps: forOnePass(leases.deps) };
    for (const state of shut) dropped += (await endAndDrop(deps, session, one, state)) ? 1 : 0;
    return dropped;
  });
}

const keep = (
  { warn }: Pick<ProvisionDeps, "warn">,
  { name }: Pick<UserState, "name">,
  what: string,
): void =>
  warn(
    "the secret of a rotated user is gone, but the user is kept; have a DBA remove what keeps it, then drop it",
    {
      role: name,
      what,
    },
  );

const isShut = ({ login, ended }: UserState): boolean => !login && ended;

const shutUser = (session: Session, state: UserState): Promise<boolean> =>
  isShut(state) ? Promise.resolve(true) : tried(session, "shut a rotated user", latchUser(state));

/** @returns false if the server refuses it with a code of {@link KEPT}. */
async function tried(session: Session, step: string, statements: readonly Sql[]): Promise<boolean> {
  try {
    await session.apply(step, statements);
    return true;
  } catch (error) {
    if (error instanceof StatementRejectedError && KEPT.has(error.engineCode)) return false;
    throw error;
  }
}

/**
 * End sessions everywhere, drop the role, then end sessions that began in between; like for a
 * lease.
 */
async function endAndDrop(
  deps: ProvisionDeps,
  session: Session,
  { deps: leaseDeps }: Pick<LeaseConnection, "deps">,
  state: UserState,
): Promise<boolean> {
  const role = { incarnation: String(state.oid), username: state.name };
  const writer = await endAllSessions(leaseDeps, [role]);
  const [readers = []] = await followReaders(leaseDeps, [role], "latch");
  const left = decideKeep(writer, readers);
  if (left !== undefined) {
    const servers = left.blockers.map(({ database }) => database);
    keep(deps, state, `it cannot log in, but sessions may be left on ${someOf(servers)}`);
    return false;
  }
  const keepers = await keepersOf(session, [state.name]);
  const drop = [sql`drop role ${ident(state.name)}`];
  if (keepers.length > 0 || !(await tried(session, "drop a rotated user", drop))) {
    const what = keepers.map((each) => each.what);
    keep(deps, state, `it cannot log in: ${someOf(what) || "somebody has a membership from it"}`);
    return false;
  }
  const [after = []] = await endEverywhere(leaseDeps, [role]);
  const unseen = unseenIn(after);
  if (unseen.length > 0)
    deps.warn("sessions of a user of a rotated secret may be left", { servers: someOf(unseen) });
  const ended = [...writer, ...readers, ...after].reduce((sum, each) => sum + each.ended, 0);
  deps.log("rotated user dropped", { user: state.name, sessionsEnded: ended });
  return true;
}
