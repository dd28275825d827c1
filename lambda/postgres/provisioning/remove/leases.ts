import { ConfigError } from "../../../../core/errors.ts";
import type { LeaseDeps } from "../../../../core/leases/lease-ports.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { connect, type Login } from "../../connection/login.ts";
import { type LoginSource, Maintenance } from "../../connection/maintenance.ts";
import { postgresEngine } from "../../leases/engine.ts";
import { postgresJanitor } from "../../leases/janitor.ts";
import { type HeldLogin, heldBy } from "../converge/login-secrets.ts";
import { knownPassword } from "../converge/rotated-secrets.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { LIMITS } from "../limits.ts";

/** The dependencies for revoking leases during provisioning: an issuer login, without schedules. */
export interface LeaseConnection {
  readonly deps: Omit<LeaseDeps, "scheduler">;
  readonly maintenance: Maintenance;
}

/** Log in as an issuer, run `work`, and always log out. */
export async function withLeases<T>(
  {
    secrets,
    issuerSecret,
    janitorSecret,
    serverId,
    telemetry,
    time,
    readers: composed,
  }: Pick<
    ProvisionDeps,
    "issuerSecret" | "janitorSecret" | "readers" | "secrets" | "serverId" | "telemetry" | "time"
  >,
  plan: ProvisionPlan,
  login: Login,
  work: (leases: LeaseConnection) => Promise<T>,
): Promise<T> {
  const { database, tag } = plan;
  const source: LoginSource = async ({ fresh }) => {
    // the issuer's password may be rotated at any time
    const known = fresh ? await knownPassword({ secrets }, issuerSecret, login) : undefined;
    return known === undefined ? login : { ...login, password: known.password };
  };
  const maintenance = new Maintenance(source, (to) => connect(to, LIMITS));
  const readers = composed(source, plan);
  const server = `${login.host}:${login.port}`;
  const engine = postgresEngine({
    maintenance,
    tag,
    server,
    serverId,
    time,
    random: Math.random,
  });
  const janitor = postgresJanitor({
    login: async () => ({ ...login, ...(await janitorOf({ secrets, janitorSecret })) }),
    connect: LIMITS.connect,
    time,
    random: Math.random,
  });
  const deps = { database, tag, engine, janitor, readers, telemetry, time };
  try {
    return await work({ deps, maintenance });
  } finally {
    await Promise.all([maintenance.close(), readers.close()]);
  }
}

async function janitorOf({
  secrets,
  janitorSecret,
}: Pick<ProvisionDeps, "janitorSecret" | "secrets">): Promise<HeldLogin> {
  const [held] = heldBy((await secrets.getSecret(janitorSecret))?.value);
  if (held === undefined)
    throw new ConfigError(
      `secret ${janitorSecret} holds no login of the janitor; deploy the stack again, and the provisioner writes one`,
    );
  return held;
}
