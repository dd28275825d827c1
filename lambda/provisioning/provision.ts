import { janitorName, MAINTENANCE_DATABASE } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import {
  becomableRoles,
  issuerLoginsOf,
  wantedMemberships,
  wantedRoles,
} from "../../core/provisioning/roles.ts";
import type { Stack } from "../../core/provisioning/stack.ts";
import type { Sighting } from "../../core/server.ts";
import type { Login } from "../postgres/login.ts";
import { checkCluster } from "../postgres/provisioning/check-cluster.ts";
import { checkDatabase } from "../postgres/provisioning/check-database.ts";
import { grantConnect } from "../postgres/provisioning/connect.ts";
import { convergeLogin } from "../postgres/provisioning/logins.ts";
import {
  admitIssuerLogins,
  emptyMaintenanceDatabase,
  makeMaintenanceDatabase,
} from "../postgres/provisioning/maintenance.ts";
import { refuseIf } from "../postgres/provisioning/problems.ts";
import { makeMemberships, makeRoles } from "../postgres/provisioning/roles.ts";
import { type Session, withSession } from "../postgres/provisioning/session.ts";
import { claimTag, releaseTag, serverSeen } from "../postgres/provisioning/stamp.ts";
import { admitToStamp } from "../postgres/provisioning/stamp-table.ts";
import { adminLogin } from "./admin-login.ts";
import { convergeGrants, type Ground } from "./converge-grants.ts";
import { LIMITS, type ProvisionDeps } from "./dependencies.ts";
import { dismiss } from "./dismiss.ts";
import { convergeIssuerSecret, convergeJanitorSecret } from "./secrets.ts";
import { settleServer } from "./server.ts";

/**
 * Make everything true that a plan asks of a cluster. Safe to repeat; a repetition changes nothing.
 *
 * @throws ConfigError with every problem at once, before anything is touched; or when the tag is
 *   another stack's.
 */
export const makeProvision =
  (deps: ProvisionDeps) =>
  async (plan: ProvisionPlan, stack: Stack): Promise<void> => {
    const { secrets, adminSecret, place, log, warn } = deps;
    if (plan.tls === "plaintext") warn("connections are not encrypted: the configuration says so");
    const admin = await adminLogin(secrets, adminSecret, place, plan);
    const version = await withSession(admin, LIMITS, async (session) => {
      const found = await checked(session, admin, plan);
      log("checks passed", { version: found });
      await makeMaintenanceDatabase(session);
      return found;
    });
    await withSession({ ...admin, database: MAINTENANCE_DATABASE }, LIMITS, async (session) => {
      const seen = await serverSeen(session, deps.serverId);
      const { isNew, former, ...stamped } = await claimTag(session, plan.tag, stack, seen);
      if (former !== undefined)
        warn("the tag was taken over from a stack that is gone", { former, stack: stack.id });
      try {
        await converge(deps, { admin, version, session }, plan, { ...stamped, seen });
      } catch (error) {
        // a creation that failed is not deleted, and comes again as another stack
        if (isNew) await releaseTag(session, plan.tag, stack).catch(() => {});
        throw error;
      }
    });
  };

async function converge(
  deps: ProvisionDeps,
  ground: Ground,
  plan: ProvisionPlan,
  sighting: Sighting,
): Promise<void> {
  await makeClusterWide(ground, plan, deps.log);
  const issuer = await makeLogins(ground, plan, deps);
  await settleServer(deps, ground, plan, issuer, sighting);
  await convergeGrants(deps, ground, plan);
  await dismiss(deps, ground, plan, issuer);
}

async function checked(session: Session, admin: Login, plan: ProvisionPlan): Promise<number> {
  const { version, problems, ownerExists, reachable } = await checkCluster(session, plan);
  const all = [...problems];
  for (const database of ownerExists ? reachable : [])
    all.push(
      ...(await withSession({ ...admin, database }, LIMITS, (inside) =>
        checkDatabase(inside, database, plan, version),
      )),
    );
  refuseIf(all, "the database is not ready, and nothing was changed");
  return version;
}

async function makeClusterWide(
  { session, version }: Ground,
  plan: ProvisionPlan,
  log: ProvisionDeps["log"],
): Promise<void> {
  if (!(await emptyMaintenanceDatabase(session)))
    log(
      `schema public of database ${MAINTENANCE_DATABASE} is open to whoever may connect, which is nobody but the issuer logins; a superuser can close it: REVOKE ALL ON SCHEMA public FROM PUBLIC`,
    );
  const roles = wantedRoles(plan);
  await makeRoles(session, roles);
  const memberships = wantedMemberships(plan);
  await makeMemberships(session, memberships, version);
  await admitIssuerLogins(session, issuerLoginsOf(plan));
  await admitToStamp(session, issuerLoginsOf(plan));
  await grantConnect(session, plan);
  log("roles made", { roles: roles.length, memberships: memberships.length });
}

/** @returns a login that can become each issuer role. */
async function makeLogins(
  { session, admin }: Ground,
  plan: ProvisionPlan,
  { secrets, issuerSecret, janitorSecret, place, log }: ProvisionDeps,
): Promise<Login> {
  const issuers = await convergeIssuerSecret(secrets, issuerSecret, issuerLoginsOf(plan), place);
  const [dbname = ""] = plan.databases;
  const janitor = await convergeJanitorSecret(
    secrets,
    janitorSecret,
    { username: janitorName(plan.tag), dbname },
    place,
  );
  const proofs = [
    ...issuers.map((held) => ({
      login: { ...admin, ...held, database: MAINTENANCE_DATABASE },
      become: becomableRoles(plan),
    })),
    { login: { ...admin, ...janitor, database: dbname }, become: [] },
  ];
  for (const { login, become } of proofs) {
    const set = await convergeLogin(session, login, LIMITS, become);
    log("login proved", { login: login.username, password: set ? "set" : "unchanged" });
  }
  const [issuer = admin] = proofs.map(({ login }) => login);
  return issuer;
}
