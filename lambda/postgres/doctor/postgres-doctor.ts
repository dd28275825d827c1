import { byHand, type Examiner, type Flaw, unseen } from "../../../core/doctor/examiner.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { StatementRejectedError } from "../../../core/errors.ts";
import type { ReaderAddress } from "../../../core/leases/lease-ports.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { reasonOf } from "../../../core/reason.ts";
import type { Time } from "../../../core/time.ts";
import type { Limits, Login } from "../connection/login.ts";
import type { LoginSource } from "../connection/maintenance.ts";
import { type OpenSession, openSession, type Session } from "../connection/session.ts";
import { sql } from "../connection/sql.ts";
import { DENIED, WRONG_PASSWORD } from "../connection/sqlstates.ts";
import { serverVersion } from "../provisioning/check/check-cluster.ts";
import { admit } from "../provisioning/converge/connect.ts";
import { lookAtConnections, lookAtLeases } from "./capacity.ts";
import {
  type DatabaseState,
  databaseStates,
  lookAtDoors,
  lookAtMaintenance,
} from "./door-grants.ts";
import { lookAtMembers, lookAtRdsIam } from "./group-members.ts";
import { lookAtOwned } from "./group-owned.ts";
import { lookAtPolicies } from "./group-policies.ts";
import { lookAtPrivileges, lookAtServerPrivileges } from "./group-privileges.ts";
import { lookAtPrepared, lookAtSnapshots } from "./held-snapshots.ts";
import { lookAtVerbs } from "./installed-verbs.ts";
import { lookAtIssuers, lookAtOwnRoles } from "./issuer-rights.ts";
import { lookAtLastingLogins } from "./lasting-logins.ts";
import { type ClusterLook, type DatabaseLook, flaw, type Look, ok, run } from "./looking.ts";
import { lookAtReader, outOfReach } from "./reader-state.ts";
import { judgeCertificate, readCertificate } from "./server-certificate.ts";
import {
  lookAtLogging,
  lookAtPasswordCommands,
  lookAtPasswordEncryption,
} from "./server-settings.ts";
import { lookAtVersion } from "./server-version.ts";
import { lookAtStatistics } from "./statement-statistics.ts";
import { lookAtTriggersHere, lookAtTriggersIn } from "./trigger-list.ts";
import { lookAtUpgrade } from "./upgrade-needs.ts";

/** The checks of a cluster, by the name of the finding if one fails. */
const OF_CLUSTER: Readonly<Record<string, Look>> = {
  "server-version": lookAtVersion,
  "own-roles": lookAtOwnRoles,
  verbs: lookAtVerbs,
  "issuer-admin": lookAtIssuers,
  "group-connect": lookAtDoors,
  "maintenance-database": lookAtMaintenance,
  "group-excess": lookAtServerPrivileges,
  "group-members": lookAtMembers,
  "rds-iam": lookAtRdsIam,
  "restricted-passwords": lookAtPasswordCommands,
  "password-encryption": lookAtPasswordEncryption,
  "log-statement": lookAtLogging,
  "lease-budget": lookAtLeases,
  connections: lookAtConnections,
  "long-transactions": lookAtSnapshots,
  "prepared-transactions": (look) => lookAtPrepared(look),
  "event-triggers": lookAtTriggersHere,
  upgrade: lookAtUpgrade,
};

/** The checks of an application database. */
const OF_DATABASE: Readonly<Record<string, Look<DatabaseLook>>> = {
  "group-privileges": lookAtPrivileges,
  "group-owned": lookAtOwned,
  "policy-groups": lookAtPolicies,
  "event-triggers": lookAtTriggersIn,
  "lasting-logins": lookAtLastingLogins,
  "statement-statistics": lookAtStatistics,
};

/** Every check of databases by its name. */
export const DATABASE_CHECKS: readonly string[] = [
  ...new Set(["certificate", ...Object.keys(OF_CLUSTER), ...Object.keys(OF_DATABASE), "readers"]),
];

export interface PostgresDoctorDeps {
  readonly plan: ProvisionPlan;
  /** The issuer login, on the maintenance database. */
  readonly issuer: LoginSource;
  /** The janitor's; its database is ignored. */
  readonly janitor: LoginSource;
  /** The current addresses of the readers. Never rejects. */
  readonly readers: () => Promise<readonly ReaderAddress[]>;
  /** How a host's certificate is checked. */
  readonly ssl: (host: string) => Login["ssl"];
  readonly limits: Limits;
  readonly time: Pick<Time, "now">;
}

/**
 * Looks at the database with the logins that every function has: they read catalogs, and change
 * nothing. A check that fails is a finding, and the others go on.
 */
export const postgresDoctor = (deps: PostgresDoctorDeps): Examiner => ({
  area: "database",
  subject: deps.plan.database,
  examine: async () => {
    const issuer = await deps.issuer({ fresh: true });
    const address = `${issuer.host}:${issuer.port}`;
    return [
      await certificateOf(deps, issuer),
      ...(await inSession(
        deps,
        { ...issuer, database: deps.plan.maintenanceDatabase },
        {
          look: (session) => examineCluster(deps, session),
          fail: (error) => [unseen("database", "server-version", address, error)],
        },
      )),
      ...(await examineReaders(deps, issuer)),
    ];
  },
});

async function certificateOf(
  { ssl, limits, time }: PostgresDoctorDeps,
  { host, port }: Pick<Login, "host" | "port">,
): Promise<Finding> {
  const server = `${host}:${port}`;
  const options = ssl(host);
  if (options === false)
    return flaw({
      check: "certificate",
      subject: server,
      verdict: "warning",
      evidence: "connections are not encrypted: the configuration says plaintext",
      fix: byHand(`set "tls" to "verify-full" and deploy`),
    });
  return readCertificate({ host, port }, options, limits.connect).then(
    (shown) => judgeCertificate(server, shown, time.now()),
    (error: unknown) => unseen("database", "certificate", server, error),
  );
}

async function inSession(
  { limits }: PostgresDoctorDeps,
  login: Login,
  {
    look,
    fail,
  }: {
    readonly look: (session: Session) => Promise<readonly Finding[]>;
    readonly fail: (error: unknown) => readonly Finding[];
  },
): Promise<readonly Finding[]> {
  let session: OpenSession;
  try {
    session = await openSession(login, limits);
  } catch (error) {
    return fail(error);
  }
  try {
    return await look(session);
  } finally {
    await session.end();
  }
}

const whoOwns = sql`
select pg_catalog.pg_get_userbyid(d.datdba)::text as admin from pg_catalog.pg_database d
where d.datname = pg_catalog.current_database()`;

async function examineCluster(
  deps: PostgresDoctorDeps,
  session: Session,
): Promise<readonly Finding[]> {
  const { plan } = deps;
  const version = await serverVersion(session);
  const [owner] = await session.rows<{ admin: string }>("ask who administers", whoOwns);
  const look: ClusterLook = {
    session,
    plan,
    version,
    admin: owner?.admin ?? "",
    groups: Object.values(plan.roles).map(({ groupRole }) => groupRole),
  };
  const findings = await each(OF_CLUSTER, look, plan.database);
  const states = await session.rows<DatabaseState>("read databases", databaseStates, [
    plan.databases,
  ]);
  for (const { name, owner: of, open } of states)
    if (of !== null && open)
      findings.push(...(await examineDatabase(deps, { ...look, database: name, owner: of })));
  return findings;
}

async function examineDatabase(
  deps: PostgresDoctorDeps,
  look: Omit<DatabaseLook, "session">,
): Promise<readonly Finding[]> {
  const { database, owner } = look;
  const janitor = await deps.janitor({ fresh: true });
  return inSession(
    deps,
    { ...janitor, database },
    {
      look: (session) => each(OF_DATABASE, { ...look, session }, database),
      fail: (error) => [
        flaw({
          check: "group-connect",
          subject: `database ${database}`,
          evidence: `the janitor could not connect to it: ${reasonOf(error)}`,
          ...entryOf(error, { database, owner, role: janitor.username }),
        }),
      ],
    },
  );
}

/** What lets a login in again, by the code with which the server refused it. */
export function entryOf(
  error: unknown,
  {
    database,
    owner,
    role,
  }: { readonly database: string; readonly owner: string; readonly role: string },
): Pick<Flaw, "verdict" | "fix"> {
  switch (error instanceof StatementRejectedError ? error.engineCode : undefined) {
    case DENIED:
      return {
        verdict: "broken",
        fix: run({ database, as: owner }, [admit({ database, role })]),
      };
    case WRONG_PASSWORD:
      return {
        verdict: "broken",
        fix: byHand("run mayfly converge, which gives the login the password of its secret"),
      };
    default:
      return {
        verdict: "unknown",
        fix: byHand(
          "ask again: with 53300 end sessions, or raise max_connections or loginConnectionLimit; else do what the evidence says",
        ),
      };
  }
}

async function each<In extends ClusterLook>(
  looks: Readonly<Record<string, Look<In>>>,
  look: In,
  subject: string,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [check, examine] of Object.entries(looks))
    findings.push(
      ...(await examine(look).catch((error: unknown) => [
        unseen("database", check, subject, error),
      ])),
    );
  return findings;
}

async function examineReaders(
  deps: PostgresDoctorDeps,
  issuer: Login,
): Promise<readonly Finding[]> {
  const addresses = await deps.readers();
  const findings = await Promise.all(
    addresses.map(async (address) => {
      if ("error" in address) return [outOfReach(address.server, address.error)];
      const { host, port } = address;
      const server = `${host}:${port}`;
      const login = { ...issuer, host, port, ssl: deps.ssl(host) };
      return [
        await certificateOf(deps, login),
        ...(await inSession(
          deps,
          { ...login, database: deps.plan.maintenanceDatabase },
          {
            look: async (session) => [await lookAtReader(server, session)],
            fail: (error) => [outOfReach(server, error)],
          },
        )),
      ];
    }),
  );
  if (findings.length > 0) return findings.flat();
  return [
    ok({
      check: "readers",
      subject: deps.plan.database,
      evidence: "the configuration names no readers",
    }),
  ];
}
