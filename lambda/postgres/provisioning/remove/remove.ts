import {
  DatabaseUnavailableError,
  MayflyError,
  StatementRejectedError,
} from "../../../../core/errors.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Stack } from "../../../../core/provisioning/stack.ts";
import { seconds } from "../../../../core/time.ts";
import type { Login } from "../../connection/login.ts";
import type { Maintenance } from "../../connection/maintenance.ts";
import { withSession } from "../../connection/session.ts";
import { sql } from "../../connection/sql.ts";
import { NO_DATABASE } from "../../connection/sqlstates.ts";
import { VERBS_VERSION } from "../../leases/verbs.ts";
import { asAdmin } from "../admin-login.ts";
import { foreignAmong, serverVersion } from "../check/check-cluster.ts";
import { foreignRolesProblem } from "../check/cluster-problems.ts";
import { refuseIf, someOf } from "../check/problems.ts";
import { type ClusterConnection, withDatabases } from "../cluster-connection.ts";
import { clearLogins } from "../converge/clear-logins.ts";
import { withdrawAll } from "../converge/converge-grants.ts";
import {
  installedVersions,
  installVerbs,
  removal,
  withdrawDeclared,
} from "../converge/install-verbs.ts";
import { releaseTag, stampOf } from "../converge/stamp.ts";
import { shutOutOfStamp } from "../converge/stamp-table.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { LIMITS } from "../limits.ts";
import { issuerLoginsOf } from "../wanted-roles.ts";
import { dropGroups, revoke } from "./dismiss.ts";
import { dismissUsers } from "./dismiss-users.ts";
import {
  dropMaintenanceDatabase,
  dropRoles,
  groupsOf,
  isIssuerRole,
  leasesOf,
  maintenanceExists,
  shut,
  staffOf,
  strangeIn,
} from "./drop-roles.ts";
import { withLeases } from "./leases.ts";
import { dropLitter, endOthers, removalLogin } from "./removal-login.ts";
import { keepScheduleGroup, removeScheduleGroup } from "./remove-schedule-group.ts";

/**
 * A server that fails over answers again within one or two minutes; a deleted server never does.
 */
const CONNECT_ATTEMPTS = 8;
const PAUSE = seconds(10);

const LOST =
  "the administrator's secret is gone; if the database still exists, leases may be alive in it, and its roles are kept";

/** What a removal left behind. */
interface Left {
  /**
   * The number of other tags in the maintenance database. Undefined if the tag belongs to another
   * stack.
   */
  readonly tags?: number;
  /** Whether it is proved that no lease is left. */
  readonly drained: boolean;
  /** Objects in the maintenance database that are not Mayfly's, checked only after the last tag. */
  readonly strange: readonly string[];
}

/**
 * Remove what provisioning created: drop the rotated users, revoke every lease, then drop groups,
 * issuer roles, logins and janitor, the maintenance database when no other stack uses it, and the
 * schedule group once no lease is left. Secrets are left to CloudFormation. Safe to repeat.
 *
 * Does nothing if the tag belongs to another stack, and only logs a warning if the server is gone.
 *
 * @throws DatabaseUnavailableError if a lease could not be revoked.
 */
export const makeRemove =
  (deps: ProvisionDeps) =>
  async (plan: ProvisionPlan, stack: Stack): Promise<void> => {
    const drained = await drain(deps, plan, stack);
    if (drained) await removeScheduleGroup(deps);
    else keepScheduleGroup(deps);
  };

/** @returns whether it is proved that no lease is left. */
async function drain(deps: ProvisionDeps, plan: ProvisionPlan, stack: Stack): Promise<boolean> {
  const { secrets, adminSecret, warn } = deps;
  if ((await secrets.getSecret(adminSecret)) === undefined) {
    warn(`nothing was removed or verified: ${LOST}`, { secret: adminSecret });
    return false;
  }
  return asAdmin(deps, plan, (admin) => drainAs(admin, deps, plan, stack));
}

async function drainAs(
  admin: Login,
  deps: ProvisionDeps,
  plan: ProvisionPlan,
  stack: Stack,
): Promise<boolean> {
  const { log, warn } = deps;
  const found = await reached(deps, () =>
    withSession(admin, LIMITS, async (session) => ({
      version: await serverVersion(session),
      exists: await maintenanceExists(session, plan),
      leases: await leasesOf(session, plan.tag),
    })),
  );
  if (found instanceof Error) {
    warn(
      "nothing was removed or verified: the database could not be reached; if it still exists, leases may be alive in it, and its roles are kept",
      { host: admin.host, port: admin.port, tag: plan.tag, why: found.message },
    );
    return false;
  }
  if (!found.exists) {
    log("nothing to remove: there is no maintenance database");
    return found.leases.length === 0;
  }
  const maintenance = { ...admin, database: plan.maintenanceDatabase };
  const left = await withDatabases(admin, (inDatabase) =>
    withSession(maintenance, LIMITS, (session) =>
      removeTag(deps, { admin, version: found.version, session, inDatabase }, plan, stack),
    ),
  );
  if (left.tags === 0 && left.strange.length > 0)
    warn(
      `database "${plan.maintenanceDatabase}" is kept: it contains objects that are not Mayfly's`,
      {
        what: someOf(left.strange),
      },
    );
  else if (left.tags === 0) {
    const dropped = await withSession(admin, LIMITS, (session) =>
      dropMaintenanceDatabase(session, plan),
    );
    if (dropped) log("maintenance database dropped");
    else warn(`database "${plan.maintenanceDatabase}" is kept: somebody uses it, or owns it`);
  }
  return left.drained;
}

async function removeTag(
  deps: ProvisionDeps,
  connection: ClusterConnection,
  plan: ProvisionPlan,
  stack: Stack,
): Promise<Left> {
  const { session } = connection;
  const stamp = await stampOf(session, plan.tag);
  if (stamp?.id !== stack.id || stamp.resource !== stack.resource) {
    deps.warn("nothing was removed: the tag is not this stack's", {
      tag: plan.tag,
      owner: stamp?.id ?? "nobody",
    });
    // no owner: an earlier removal whose answer was lost may have done this already
    const drained = stamp === undefined && (await leasesOf(session, plan.tag)).length === 0;
    return { drained, strange: [] };
  }
  const drained = (await clear(deps, connection, plan)).length === 0;
  const tags = await releaseTag(session, plan.tag, stack);
  return { tags, drained, strange: tags === 0 ? await strangeIn(session) : [] };
}

/** @returns why the server is considered gone. */
async function reached<T>(
  { time }: Pick<ProvisionDeps, "time">,
  attempt: () => Promise<T>,
): Promise<T | Error> {
  for (let left = CONNECT_ATTEMPTS; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof StatementRejectedError && error.engineCode === NO_DATABASE) return error;
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      if (left === 1) return error;
      await time.wait(PAUSE);
    }
  }
}

/** @returns the names of leases whose roles are left. */
async function clear(
  deps: ProvisionDeps,
  connection: ClusterConnection,
  plan: ProvisionPlan,
): Promise<readonly string[]> {
  const { session } = connection;
  const { tag } = plan;
  const staff = await staffOf(session, tag);
  const groups = await groupsOf(session, tag);
  const foreign = await foreignAmong(session, [...staff, ...groups].toSorted());
  if (foreign.length > 0)
    refuseIf(
      [foreignRolesProblem(foreign, connection.admin.username, connection.version)],
      "nothing was removed, since the administrator may not",
    );
  const shards = staff.filter((name) => isIssuerRole(tag, name));
  const logins = staff.filter((name) => !isIssuerRole(tag, name));
  const isCleared = await clearLogins(session, plan, connection.version);
  const login = await removalLogin(deps, connection, plan, { shards, logins });
  if (login !== undefined)
    await ensureVerbs(connection, { ...plan, shards: shards.length }, isCleared);
  await dismissUsers(deps, connection, { ...plan, rotatedUsers: {} }, login);
  // remaining leases are latched; keep their issuer roles, or nobody could drop them
  const left =
    login === undefined
      ? []
      : await revokeEverything(deps, connection, plan, { login, logins, shards });
  const { left: privileges, holders } = await withdrawAll(deps, connection, plan);
  for (const each of privileges) deps.warn("a privilege is kept", { each });
  await dropGroups(deps, session, tag, groups, async () => {});
  const kept = left.length === 0 ? [] : shards;
  const held = logins.filter((name) => holders.includes(name));
  if (held.length > 0)
    deps.warn("roles are kept, which cannot log in: a DBA granted them a privilege", {
      roles: someOf(held),
    });
  if (kept.length > 0)
    deps.warn("issuer roles are kept: without them nobody could drop the leases that are left", {
      leases: someOf(left),
    });
  await shutOutOfStamp(session, logins);
  const dropped = staff.filter((name) => !kept.includes(name) && !held.includes(name));
  const littering = issuerLoginsOf(plan).filter((name) => dropped.includes(name));
  const before = [...(await removal(session, tag)), ...dropLitter(connection, littering)];
  await dropRoles(session, dropped, before);
  deps.log("roles dropped", { roles: dropped.length });
  return left;
}

/**
 * Revoke all leases; then shut the logins, end their sessions, and revoke again: now no new lease
 * is possible.
 *
 * @returns the names of those whose roles are left.
 */
async function revokeEverything(
  deps: ProvisionDeps,
  connection: ClusterConnection,
  plan: ProvisionPlan,
  {
    login,
    logins,
    shards,
  }: {
    readonly login: Login;
    readonly logins: readonly string[];
    readonly shards: readonly string[];
  },
): Promise<readonly string[]> {
  return withLeases(deps, plan, login, async (leases) => {
    // a holder of a login's password can interfere until the logins are shut
    await revoke(deps, leases, () => true).catch((error: unknown) => {
      if (!(error instanceof MayflyError)) throw error;
      deps.warn("leases are revoked again after the logins are shut", { why: error.message });
    });
    await shut(connection.session, logins);
    await endOthers(connection, logins, await pidOf(leases.maintenance));
    // objects that somebody left until now may depend on a lease
    const isCleared = await clearLogins(connection.session, plan, connection.version);
    await ensureVerbs(connection, { ...plan, shards: shards.length }, isCleared);
    const { quarantined, unverified, foreign } = await revoke(deps, leases, () => true);
    if (foreign.length > 0)
      deps.warn("roles are named like leases but are not leases, and were not touched", {
        roles: someOf(foreign),
      });
    return [...quarantined, ...unverified, ...foreign];
  });
}

/** Install the verbs if an early failure of the deployment left them out: they revoke leases. */
async function ensureVerbs(
  { session, version }: ClusterConnection,
  plan: ProvisionPlan,
  isCleared: boolean,
): Promise<void> {
  const installed = await installedVersions(session, plan.tag);
  if (!isCleared && installed.includes(VERBS_VERSION)) return;
  await withdrawDeclared(session, { ...plan, grants: [] });
  await installVerbs(session, plan, version);
}

async function pidOf(maintenance: Pick<Maintenance, "query">): Promise<number> {
  const [own] = await maintenance.query<{ pid: number }>(
    "ask for the own process",
    sql`select pg_catalog.pg_backend_pid() as pid`,
  );
  return own?.pid ?? 0;
}
