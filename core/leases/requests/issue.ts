import { base32 } from "../../base32.ts";
import { InvalidRequestError, LimitReachedError } from "../../errors.ts";
import { derivedPassword, randomPassword } from "../../password.ts";
import type { Secret } from "../../secret.ts";
import { iso } from "../../time.ts";
import { type Credential, credential, type Endpoint } from "../credential.ts";
import type { Deployment } from "../deployment.ts";
import { type Grant, refuseTtl, refuseUndeclared } from "../grants.ts";
import { formatLeaseId } from "../lease-id.ts";
import {
  formatLeaseName,
  keyDigest,
  type LeaseName,
  NO_KEY,
  parseLeaseName,
  RANDOM_LENGTH,
} from "../lease-name.ts";
import type {
  IssuedLogin,
  IssueOutcome,
  LeaseDeps,
  Pepper,
  Peppers,
  RandomBytes,
} from "../lease-ports.ts";
import { scheduleRevocation } from "../revocation/schedules.ts";
import type { ConsumerRequest } from "./lease-request.ts";

export interface IssueDeps extends LeaseDeps {
  readonly deployment: Deployment;
  readonly endpoint: Endpoint;
  readonly peppers: Peppers;
  readonly random: RandomBytes;
}

type IssueRequest = Extract<ConsumerRequest, { action: "issue" }>;

/**
 * Create a login that expires by itself; with an idempotency key, find the one that was already
 * created.
 *
 * The name is chosen before anything is sent, so a lost answer can be found again by name.
 *
 * @throws LimitReachedError at a limit; nothing was created.
 * @throws NotAllowedError if the database does not have the grant.
 * @throws InvalidRequestError if the role does not allow the request.
 */
export async function issueLease(
  deps: IssueDeps,
  grant: Grant,
  request: IssueRequest,
): Promise<Credential> {
  const pepper = request.idempotencyKey === undefined ? undefined : await deps.peppers.current();
  const first = await attempt(deps, grant, request, { pepper, replay: pepper !== undefined });
  const known = await passwordOf(deps, first);
  if (known !== undefined) return render(deps, grant, first, known);
  const fresh = await attempt(deps, grant, request, { pepper, replay: false });
  return render(deps, grant, fresh, fresh.password);
}

interface Attempt extends IssuedLogin {
  /** The password of the login that this attempt would create. */
  readonly password: Secret;
}

async function attempt(
  { deployment, engine, random }: IssueDeps,
  grant: Grant,
  request: IssueRequest,
  { pepper, replay }: { readonly pepper: Pepper | undefined; readonly replay: boolean },
): Promise<Attempt> {
  const { consumer, role } = grant;
  const { ttlSeconds, idempotencyKey, minRemainingSeconds } = request;
  const name: LeaseName = {
    tag: deployment.tag,
    role,
    consumer,
    digest: idempotencyKey === undefined ? NO_KEY : keyDigest(consumer, role, idempotencyKey),
    shard: Buffer.from(random(4)).readUInt32BE() % deployment.shards,
    random: base32(random(8), RANDOM_LENGTH),
  };
  const password = pepper ? derivedPassword(pepper, formatLeaseName(name)) : randomPassword(random);
  const outcome = await engine.issue({
    name,
    password,
    replay,
    ...(ttlSeconds !== undefined && { ttlSeconds }),
    ...(minRemainingSeconds !== undefined && { minRemainingSeconds }),
    ...(pepper && { pepper: pepper.version }),
  });
  return { ...orRefuse(outcome, grant, request), password };
}

function orRefuse(outcome: IssueOutcome, grant: Grant, request: IssueRequest): IssuedLogin {
  const { consumer, role } = grant;
  switch (outcome.kind) {
    case "undeclared":
      throw refuseUndeclared(grant);
    case "ttl":
      throw refuseTtl(grant, request.ttlSeconds, outcome.maxTtlSeconds);
    case "min remaining":
      throw new InvalidRequestError(
        `minRemainingSeconds ${request.minRemainingSeconds} is more than ${outcome.mostSeconds}, half of the maximum of role ${role}; ask for at most that`,
      );
    case "limit": {
      const who = outcome.scope === "role" ? `role ${role}` : `${consumer} for role ${role}`;
      throw new LimitReachedError(
        `${who} has ${outcome.count} leases of at most ${outcome.limit}, latched leases included; revoke unused leases, send an idempotencyKey so that restarts reuse a lease, or raise the limit in the configuration`,
      );
    }
    default:
      return outcome;
  }
}

/** The lease's password. Undefined for a replay whose pepper is gone. */
async function passwordOf({ peppers }: IssueDeps, login: Attempt): Promise<Secret | undefined> {
  if (login.kind === "issued") return login.password;
  const pepper = login.pepper === undefined ? undefined : await peppers.version(login.pepper);
  return pepper && derivedPassword(pepper, login.username);
}

async function render(
  deps: IssueDeps,
  grant: Grant,
  login: IssuedLogin,
  password: Secret,
): Promise<Credential> {
  const { kind, username, incarnation, issuedAt, expiresAt, maxExpiresAt } = login;
  const name = parseLeaseName(username);
  if (name === undefined) throw new Error(`${username} is not the name of a lease`);
  const scheduled =
    kind === "replayed" ||
    (await scheduleRevocation(deps, { name, username, incarnation }, expiresAt)) === undefined;
  deps.telemetry.audit({
    event: kind === "issued" ? "lease.issued" : "lease.replayed",
    leaseId: formatLeaseId(deps.database, grant.role, username),
    consumer: grant.consumer,
    role: grant.role,
    incarnation,
    issuedAt: iso(issuedAt),
    expiresAt: iso(expiresAt),
    maxExpiresAt: iso(maxExpiresAt),
    revocationScheduled: scheduled,
  });
  deps.telemetry.measure(kind === "issued" ? "LeasesIssued" : "LeasesReplayed", 1);
  return credential(deps.database, grant, { ...login, password, scheduled }, login, deps.endpoint);
}
