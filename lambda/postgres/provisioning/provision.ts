import type { Sighting } from "../../../core/leases/server.ts";
import { groupRoleName, janitorName } from "../../../core/names.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { type Changes, changesOf } from "../../../core/provisioning/report.ts";
import type { Stack } from "../../../core/provisioning/stack.ts";
import { reasonOf } from "../../../core/reason.ts";
import type { Login } from "../connection/login.ts";
import { isRefusedEntry, openSession, type Session } from "../connection/session.ts";
import { VERBS_VERSION } from "../leases/verbs.ts";
import { asAdmin } from "./admin-login.ts";
import { checkCluster } from "./check/check-cluster.ts";
import { checkDatabase } from "./check/check-database.ts";
import { rehearse } from "./check/event-triggers.ts";
import { refuseIf } from "./check/problems.ts";
import { type ClusterConnection, type InDatabase, withDatabases } from "./cluster-connection.ts";
import { clearLogins } from "./converge/clear-logins.ts";
import { grantConnect } from "./converge/connect.ts";
import { convergeGrants } from "./converge/converge-grants.ts";
import {
  declare,
  installVerbs,
  letSeeSessions,
  removeOldVerbs,
  withdrawDeclared,
} from "./converge/install-verbs.ts";
import { awaitIssues } from "./converge/issue-lock.ts";
import { convergeIssuerSecret, convergeJanitorSecret } from "./converge/login-secrets.ts";
import { isProved, setPassword } from "./converge/logins.ts";
import {
  admitIssuerLogins,
  emptyMaintenanceDatabase,
  makeMaintenanceDatabase,
} from "./converge/maintenance-database.ts";
import { checkRotatedUsers, makeRotatedUsers } from "./converge/make-rotated-users.ts";
import { recordServer } from "./converge/record-server.ts";
import { makeMemberships, makeRoles } from "./converge/roles.ts";
import { knownPassword } from "./converge/rotated-secrets.ts";
import { claimTag, releaseTag, serverSeen } from "./converge/stamp.ts";
import { admitToStamp } from "./converge/stamp-table.ts";
import { watchUsers } from "./converge/watch-users.ts";
import type { ProvisionDeps } from "./dependencies.ts";
import { LIMITS } from "./limits.ts";
import { administer } from "./memberships.ts";
import { dismiss } from "./remove/dismiss.ts";
import { dismissUsers } from "./remove/dismiss-users.ts";
import { dropMaintenanceDatabase, groupsOf } from "./remove/drop-roles.ts";
import { issuerLoginsOf, wantedMemberships, wantedRoles } from "./wanted-roles.ts";

/**
 * Apply a plan to a cluster. Safe to repeat; a repetition changes nothing.
 *
 * @throws ConfigError with every problem at once, before anything is touched; or when the tag is
 *   another stack's.
 */
export const makeProvision =
  (deps: ProvisionDeps) =>
  (plan: ProvisionPlan, stack: Stack): Promise<Changes> =>
    onCheckedCluster(deps, plan, async (connection) => {
      const seen = await serverSeen(connection.session, deps.serverId);
      const { isNew, former, ...stamped } = await claimTag(connection.session, plan, stack, seen);
      if (former !== undefined)
        deps.warn("the tag was taken over from a stack that is gone", { former, stack: stack.id });
      try {
        return await converge(deps, connection, plan, { ...stamped, seen });
      } catch (error) {
        // a stack whose creation failed is retried as another stack, without a Delete
        if (isNew)
          await releaseTag(connection.session, plan.tag, stack).catch((reason: unknown) =>
            deps.warn("the tag was not given back", { tag: plan.tag, why: reasonOf(reason) }),
          );
        throw error;
      }
    });

/**
 * Check a cluster, create the maintenance database, and work on a connection to it. Repeated from
 * the start if the administrator's password is rotated meanwhile.
 *
 * @throws ConfigError with every problem at once, before anything is touched.
 */
export async function onCheckedCluster<T>(
  deps: ProvisionDeps,
  plan: ProvisionPlan,
  work: (connection: ClusterConnection) => Promise<T>,
): Promise<T> {
  const { log, warn } = deps;
  if (plan.tls === "plaintext") warn("connections are not encrypted: the configuration says so");
  if (plan.aliasUnsealed === true)
    warn("aliasUnsealed is configured: only IAM policies decide who may invoke which alias");
  return asAdmin(deps, plan, (admin) =>
    withDatabases(admin, async (inDatabase) => {
      const version = await checked(deps, inDatabase, admin, plan);
      log("checks passed", { version });
      const came = await inDatabase(admin.database, (session) =>
        makeMaintenanceDatabase(session, plan),
      );
      if (came === "opened")
        warn(
          `database ${plan.maintenanceDatabase} was open to PUBLIC, or to nobody; this was corrected`,
        );
      const target = { ...admin, database: plan.maintenanceDatabase };
      const session = await openSession(target, LIMITS).catch(async (error: unknown) => {
        // it has never been used
        if (came === "made")
          await inDatabase(admin.database, (session) =>
            dropMaintenanceDatabase(session, plan),
          ).catch((reason: unknown) =>
            warn("the maintenance database was created, and could not be dropped again", {
              why: reasonOf(reason),
            }),
          );
        throw error;
      });
      try {
        return await work({ admin, version, session, inDatabase });
      } finally {
        await session.end();
      }
    }),
  );
}

/** Apply a plan whose tag belongs to this stack. */
export async function converge(
  deps: ProvisionDeps,
  connection: ClusterConnection,
  plan: ProvisionPlan,
  sighting: Sighting,
): Promise<Changes> {
  // first: dropping what the logins own also drops their grants
  await clearLogins(connection.session, plan, connection.version);
  const { changes, made } = await makeClusterWide(connection, plan, deps.log);
  await withdrawDeclared(connection.session, plan);
  await awaitAllIssues(connection, plan.tag);
  await installVerbs(connection.session, plan, connection.version);
  deps.log("verbs installed", { version: VERBS_VERSION, shards: plan.shards });
  const { issuer, passwordsSet } = await makeLogins(connection, plan, made, deps);
  await recordServer(deps, connection, plan, issuer, sighting);
  const rotated = await makeRotatedUsers(deps, connection, plan);
  const granted = await convergeGrants(deps, connection, plan);
  await declare(connection.session, plan);
  const watches = await watchUsers(deps, connection.session, plan);
  // users before their groups
  const rolesDropped = await dismissUsers(deps, connection, plan, issuer);
  const dismissed = await dismiss(deps, connection, plan, issuer);
  await removeOldVerbs(connection.session, plan.tag);
  return changesOf(
    ...changes,
    { passwordsSet },
    rotated,
    granted,
    watches,
    { rolesDropped },
    dismissed,
  );
}

/** Wait for running issues: then every lease whose grant was withdrawn is visible. */
async function awaitAllIssues({ session, version }: ClusterConnection, tag: string): Promise<void> {
  for (const group of await groupsOf(session, tag)) {
    const role = group.slice(groupRoleName(tag, "").length);
    await awaitIssues(session, { tag, role, server: version });
  }
}

async function checked(
  deps: ProvisionDeps,
  inDatabase: InDatabase,
  admin: Login,
  plan: ProvisionPlan,
): Promise<number> {
  const { version, problems, ...found } = await inDatabase(admin.database, async (session) => {
    const cluster = await checkCluster(session, plan);
    const connection = { admin, version: cluster.version, session };
    const users = cluster.admin === "" ? [] : await checkRotatedUsers(deps, connection, plan);
    return { ...cluster, problems: [...cluster.problems, ...users] };
  });
  const all = [...problems];
  for (const database of found.ownerExists ? found.reachable : [])
    all.push(
      ...(await entering(database, () =>
        inDatabase(database, async (inside) => {
          const here = await checkDatabase(inside, database, plan, { version, ...found });
          return problems.length + here.length > 0 ? here : rehearse(inside, plan, version);
        }),
      )),
    );
  refuseIf(all, "the database is not ready, and nothing was changed");
  return version;
}

/** The problems in a database, or the problem that it refuses the connection. */
async function entering(
  database: string,
  look: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const within = `in database "${database}": `;
  try {
    return (await look()).map((each) => `${within}${each}`);
  } catch (error) {
    if (!isRefusedEntry(error, database)) throw error;
    return [`${within}${error.message}`];
  }
}

async function makeClusterWide(
  { session, version }: ClusterConnection,
  plan: ProvisionPlan,
  log: ProvisionDeps["log"],
): Promise<{ readonly changes: readonly Partial<Changes>[]; readonly made: readonly string[] }> {
  const schema = await emptyMaintenanceDatabase(session);
  if (schema === "left")
    log(
      `schema public of database ${plan.maintenanceDatabase} is open to whoever may connect, which is nobody but the issuer logins; a superuser can close it: REVOKE ALL ON SCHEMA public FROM PUBLIC`,
    );
  const roles = wantedRoles(plan);
  const { made, corrected } = await makeRoles(session, roles);
  const names = roles.map(({ name }) => name);
  await administer({ session, version }, plan.owner, [
    ...names,
    ...(await groupsOf(session, plan.tag)),
  ]);
  const memberships = wantedMemberships(plan);
  const membershipsGranted = await makeMemberships(session, memberships, version);
  await letSeeSessions(session, plan.tag);
  const admitted = await admitIssuerLogins(session, plan, issuerLoginsOf(plan));
  await admitToStamp(session, issuerLoginsOf(plan));
  const connects = await grantConnect(session, plan);
  log("roles made", { roles: roles.length, memberships: memberships.length });
  const changes = [
    { rolesMade: made.length, rolesCorrected: corrected },
    { membershipsGranted, privilegesGranted: admitted + connects },
    { privilegesWithdrawn: schema === "emptied" ? 1 : 0 },
  ];
  return { changes, made };
}

/**
 * @param made roles that were just created and have no password yet.
 * @returns a working issuer login, and the number of passwords that were set.
 */
async function makeLogins(
  { session, admin }: ClusterConnection,
  plan: ProvisionPlan,
  made: readonly string[],
  deps: ProvisionDeps,
): Promise<{ readonly issuer: Login; readonly passwordsSet: number }> {
  const { secrets, issuerSecret, janitorSecret, server, log } = deps;
  const { maintenanceDatabase } = plan;
  const issuers = await convergeIssuerSecret(
    secrets,
    issuerSecret,
    issuerLoginsOf(plan),
    maintenanceDatabase,
    server,
  );
  const [dbname = ""] = plan.databases;
  const janitor = await convergeJanitorSecret(
    secrets,
    janitorSecret,
    { username: janitorName(plan.tag), dbname },
    server,
  );
  const onMaintenance = { ...admin, database: maintenanceDatabase };
  const proved: Proved[] = [];
  const own = [
    ...issuers.map((held) => ({ secret: issuerSecret, login: { ...onMaintenance, ...held } })),
    { secret: janitorSecret, login: { ...admin, ...janitor, database: dbname } },
  ];
  for (const { secret, login } of own) {
    const isNew = made.includes(login.username);
    if (isNew) await setPassword(session, login, LIMITS);
    proved.push(isNew ? { login, set: true } : await convergeOwn(deps, session, secret, login));
  }
  for (const { login: each, set } of proved)
    log("login proved", { login: each.username, password: set ? "set" : "unchanged" });
  const [issuer = admin] = proved.map((each) => each.login);
  return { issuer, passwordsSet: proved.filter(({ set }) => set).length };
}

/** A working login, and whether its password was set now. */
interface Proved {
  readonly login: Login;
  readonly set: boolean;
}

/**
 * Find the present password of one of Mayfly's own logins. During a rotation it may be in any
 * version and change at any time, so it is set only if no version holds it.
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
  if (known === undefined) {
    await setPassword(session, login, LIMITS);
    return { login, set: true };
  }
  log("a rotation is under way; the password is left alone", { user: login.username });
  return convergeOwn(deps, session, secretArn, { ...login, password: known.password });
}
