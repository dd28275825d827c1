import { janitorName, MAINTENANCE_DATABASE } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import {
  becomableRoles,
  issuerLoginsOf,
  wantedMemberships,
  wantedRoles,
} from "../../core/provisioning/roles.ts";
import type { SecretStore } from "../../core/secret-store.ts";
import { seconds } from "../../core/time.ts";
import type { Limits, Login } from "../postgres/login.ts";
import { checkCluster } from "../postgres/provisioning/check-cluster.ts";
import { checkDatabase } from "../postgres/provisioning/check-database.ts";
import { grantConnect } from "../postgres/provisioning/connect.ts";
import { convergeLogin } from "../postgres/provisioning/logins.ts";
import {
  admitIssuerLogins,
  emptyMaintenanceDatabase,
  makeMaintenanceDatabase,
} from "../postgres/provisioning/maintenance.ts";
import { grantPrivileges } from "../postgres/provisioning/privileges.ts";
import { refuseIf } from "../postgres/provisioning/problems.ts";
import { makeMemberships, makeRoles } from "../postgres/provisioning/roles.ts";
import { type Session, withSession } from "../postgres/provisioning/session.ts";
import { adminLogin, type ServerPlace } from "./admin-login.ts";
import { convergeIssuerSecret, convergeJanitorSecret } from "./secrets.ts";

/** What provisioning needs from outside. */
export interface ProvisionDeps {
  readonly secrets: SecretStore;
  /** ARNs of the three secrets. */
  readonly adminSecret: string;
  readonly issuerSecret: string;
  readonly janitorSecret: string;
  readonly place: ServerPlace;
  /** Told of each finished step. No fact is secret. */
  readonly log: (step: string, facts?: Readonly<Record<string, string | number>>) => void;
}

/** Generous: statements queue behind an application's, and a database is copied. */
const LIMITS: Limits = { connect: seconds(10), statement: seconds(60), lock: seconds(10) };

/**
 * Make everything true that a plan asks of a cluster. Safe to repeat; a repetition changes nothing.
 *
 * @throws ConfigError with every problem at once, before anything is touched.
 */
export const makeProvision =
  (deps: ProvisionDeps) =>
  async (plan: ProvisionPlan): Promise<void> => {
    const { secrets, adminSecret, place, log } = deps;
    if (plan.tls === "plaintext") log("connections are not encrypted: the configuration says so");
    const admin = await adminLogin(secrets, adminSecret, place, plan);
    const version = await withSession(admin, LIMITS, async (session) => {
      const found = await checked(session, admin, plan);
      log("checks passed", { version: found });
      await makeMaintenanceDatabase(session);
      return found;
    });
    await withSession({ ...admin, database: MAINTENANCE_DATABASE }, LIMITS, async (session) => {
      await makeClusterWide(session, plan, version, log);
      await makeLogins(session, admin, plan, deps);
    });
    for (const database of plan.databases) {
      await withSession({ ...admin, database }, LIMITS, (session) =>
        grantPrivileges(session, database, plan),
      );
      log("privileges granted and verified", { database });
    }
  };

async function checked(session: Session, admin: Login, plan: ProvisionPlan): Promise<number> {
  const { version, problems, ownerExists, reachable } = await checkCluster(session, plan);
  const all = [...problems];
  for (const database of ownerExists ? reachable : [])
    all.push(
      ...(await withSession({ ...admin, database }, LIMITS, (inside) =>
        checkDatabase(inside, database, plan),
      )),
    );
  refuseIf(all, "the database is not ready, and nothing was changed");
  return version;
}

async function makeClusterWide(
  session: Session,
  plan: ProvisionPlan,
  version: number,
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
  await grantConnect(session, plan);
  log("roles made", { roles: roles.length, memberships: memberships.length });
}

async function makeLogins(
  session: Session,
  admin: Login,
  plan: ProvisionPlan,
  { secrets, issuerSecret, janitorSecret, place, log }: ProvisionDeps,
): Promise<void> {
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
}
