import type { Sighting } from "../../../core/leases/server.ts";
import { groupRoleName, janitorName, MAINTENANCE_DATABASE } from "../../../core/names.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { type Changes, changesOf } from "../../../core/provisioning/report.ts";
import type { Stack } from "../../../core/provisioning/stack.ts";
import type { Login } from "../connection/login.ts";
import { type Session, withSession } from "../connection/session.ts";
import { VERBS_VERSION } from "../leases/verbs.ts";
import { asAdmin } from "./admin-login.ts";
import { checkCluster } from "./check/check-cluster.ts";
import { checkDatabase } from "./check/check-database.ts";
import { refuseIf } from "./check/problems.ts";
import { clearLogins } from "./converge/clear-logins.ts";
import { grantConnect } from "./converge/connect.ts";
import { convergeGrants, type Ground } from "./converge/converge-grants.ts";
import { awaitIssues } from "./converge/issue-lock.ts";
import { convergeIssuerSecret, convergeJanitorSecret } from "./converge/login-secrets.ts";
import { convergeLogin, isProved } from "./converge/logins.ts";
import {
  admitIssuerLogins,
  emptyMaintenanceDatabase,
  makeMaintenanceDatabase,
} from "./converge/maintenance-database.ts";
import { checkRotatedUsers, makeRotatedUsers } from "./converge/make-rotated-users.ts";
import { makeMemberships, makeRoles } from "./converge/roles.ts";
import { knownPassword } from "./converge/rotated-secrets.ts";
import { settleServer } from "./converge/settle-server.ts";
import { claimTag, releaseTag, serverSeen } from "./converge/stamp.ts";
import { admitToStamp } from "./converge/stamp-table.ts";
import {
  declare,
  installVerbs,
  letSeeSessions,
  removeOldVerbs,
  withdrawDeclared,
} from "./converge/verbs.ts";
import { LIMITS, type ProvisionDeps } from "./dependencies.ts";
import { dismiss } from "./remove/dismiss.ts";
import { dismissUsers } from "./remove/dismiss-users.ts";
import { groupsOf } from "./remove/drop-roles.ts";
import { issuerLoginsOf, wantedMemberships, wantedRoles } from "./wanted-roles.ts";

/**
 * Make everything true that a plan asks of a cluster. Safe to repeat; a repetition changes nothing.
 *
 * @throws ConfigError with every problem at once, before anything is touched; or when the tag is
 *   another stack's.
 */
export const makeProvision =
  (deps: ProvisionDeps) =>
  (plan: ProvisionPlan, stack: Stack): Promise<Changes> =>
    onReadyGround(deps, plan, async (ground) => {
      const seen = await serverSeen(ground.session, deps.serverId);
      const { isNew, former, ...stamped } = await claimTag(ground.session, plan.tag, stack, seen);
      if (former !== undefined)
        deps.warn("the tag was taken over from a stack that is gone", { former, stack: stack.id });
      try {
        return await converge(deps, ground, plan, { ...stamped, seen });
      } catch (error) {
        // a creation that failed is not deleted, and comes again as another stack
        if (isNew) await releaseTag(ground.session, plan.tag, stack).catch(() => {});
        throw error;
      }
    });

/**
 * Check a cluster, make the maintenance database, and work on a connection to it; from the start
 * again when the administrator's password is rotated meanwhile.
 *
 * @throws ConfigError with every problem at once, before anything is touched.
 */
export async function onReadyGround<T>(
  deps: ProvisionDeps,
  plan: ProvisionPlan,
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  const { log, warn } = deps;
  if (plan.tls === "plaintext") warn("connections are not encrypted: the configuration says so");
  return asAdmin(deps, plan, async (admin) => {
    const version = await withSession(admin, LIMITS, async (session) => {
      const found = await checked(deps, session, admin, plan);
      log("checks passed", { version: found });
      if (await makeMaintenanceDatabase(session))
        warn(`database ${MAINTENANCE_DATABASE} was open to PUBLIC, or to nobody; it was put right`);
      return found;
    });
    return withSession({ ...admin, database: MAINTENANCE_DATABASE }, LIMITS, (session) =>
      work({ admin, version, session }),
    );
  });
}

/** Make a plan true where its tag is ours. */
export async function converge(
  deps: ProvisionDeps,
  ground: Ground,
  plan: ProvisionPlan,
  sighting: Sighting,
): Promise<Changes> {
  // first: what is granted to the logins goes with what they own
  await clearLogins(ground.session, plan, ground.version);
  const made = await makeClusterWide(ground, plan, deps.log);
  await withdrawDeclared(ground.session, plan);
  await awaitAllIssues(ground, plan.tag);
  await installVerbs(ground.session, plan, ground.version);
  deps.log("verbs installed", { version: VERBS_VERSION, shards: plan.shards });
  const { issuer, passwordsSet } = await makeLogins(ground, plan, deps);
  await settleServer(deps, ground, plan, issuer, sighting);
  const rotated = await makeRotatedUsers(deps, ground, plan);
  const granted = await convergeGrants(deps, ground, plan);
  await declare(ground.session, plan);
  // before the groups that they were in
  const rolesDropped = await dismissUsers(deps, ground, plan, issuer);
  const dismissed = await dismiss(deps, ground, plan, issuer);
  await removeOldVerbs(ground.session, plan.tag);
  return changesOf(...made, { passwordsSet }, rotated, granted, { rolesDropped }, dismissed);
}

/** A lease that was being issued when its grant was withdrawn is there to be seen, or never will be. */
async function awaitAllIssues({ session, version }: Ground, tag: string): Promise<void> {
  for (const group of await groupsOf(session, tag)) {
    const role = group.slice(groupRoleName(tag, "").length);
    await awaitIssues(session, { tag, role, server: version });
  }
}

async function checked(
  deps: ProvisionDeps,
  session: Session,
  admin: Login,
  plan: ProvisionPlan,
): Promise<number> {
  const found = await checkCluster(session, plan);
  const { version } = found;
  const all = [...found.problems];
  if (found.admin !== "")
    all.push(...(await checkRotatedUsers(deps, { admin, version, session }, plan)));
  for (const database of found.ownerExists ? found.reachable : [])
    all.push(
      ...(await withSession({ ...admin, database }, LIMITS, (inside) =>
        checkDatabase(inside, database, plan, found),
      )),
    );
  refuseIf(all, "the database is not ready, and nothing was changed");
  return version;
}

async function makeClusterWide(
  { session, version }: Ground,
  plan: ProvisionPlan,
  log: ProvisionDeps["log"],
): Promise<readonly Partial<Changes>[]> {
  const schema = await emptyMaintenanceDatabase(session);
  if (schema === "left")
    log(
      `schema public of database ${MAINTENANCE_DATABASE} is open to whoever may connect, which is nobody but the issuer logins; a superuser can close it: REVOKE ALL ON SCHEMA public FROM PUBLIC`,
    );
  const roles = wantedRoles(plan);
  const made = await makeRoles(session, roles);
  const memberships = wantedMemberships(plan);
  const membershipsGranted = await makeMemberships(session, memberships, version);
  await letSeeSessions(session, plan.tag);
  const admitted = await admitIssuerLogins(session, issuerLoginsOf(plan));
  await admitToStamp(session, issuerLoginsOf(plan));
  const connects = await grantConnect(session, plan);
  log("roles made", { roles: roles.length, memberships: memberships.length });
  return [
    made,
    { membershipsGranted, privilegesGranted: admitted + connects },
    { privilegesWithdrawn: schema === "emptied" ? 1 : 0 },
  ];
}

/** @returns an issuer login that works, and how many passwords were set. */
async function makeLogins(
  { session, admin }: Ground,
  plan: ProvisionPlan,
  deps: ProvisionDeps,
): Promise<{ readonly issuer: Login; readonly passwordsSet: number }> {
  const { secrets, issuerSecret, janitorSecret, place: endpoint, log } = deps;
  const issuers = await convergeIssuerSecret(secrets, issuerSecret, issuerLoginsOf(plan), endpoint);
  const [dbname = ""] = plan.databases;
  const janitor = await convergeJanitorSecret(
    secrets,
    janitorSecret,
    { username: janitorName(plan.tag), dbname },
    endpoint,
  );
  const place = { ...admin, database: MAINTENANCE_DATABASE };
  const proved: Proved[] = [];
  for (const held of issuers)
    proved.push(await convergeOwn(deps, session, issuerSecret, { ...place, ...held }));
  const login = { ...admin, ...janitor, database: dbname };
  proved.push(await convergeOwn(deps, session, janitorSecret, login));
  for (const { login: each, set } of proved)
    log("login proved", { login: each.username, password: set ? "set" : "unchanged" });
  const [issuer = admin] = proved.map((each) => each.login);
  return { issuer, passwordsSet: proved.filter(({ set }) => set).length };
}

/** A login that works, and whether its password was set for that. */
interface Proved {
  readonly login: Login;
  readonly set: boolean;
}

/**
 * A login of Mayfly's own with the password that it has. In the midst of a rotation that may be any version's,
 * and another in the next moment: it is set only when no version holds it.
 */
async function convergeOwn(
  deps: ProvisionDeps,
  session: Session,
  secretArn: string,
  login: Login,
): Promise<Proved> {
  const { secrets, log } = deps;
  if (await isProved(login, LIMITS)) return { login, set: false };
  const known = await knownPassword({ secrets }, secretArn, login);
  if (known === undefined) return { login, set: await convergeLogin(session, login, LIMITS) };
  log("a rotation is under way; the password is left alone", { user: login.username });
  return convergeOwn(deps, session, secretArn, { ...login, password: known.password });
}
