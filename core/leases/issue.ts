import { base32 } from "../base32.ts";
import { DatabaseUnavailableError, LeaseRefusedError } from "../errors.ts";
import { derivedPassword, randomPassword } from "../password.ts";
import { scramVerifier } from "../scram.ts";
import type { Secret } from "../secret.ts";
import { iso } from "../time.ts";
import { type Credential, credential, type Endpoint } from "./credential.ts";
import type { Deployment } from "./deployment.ts";
import type { GrantedRole } from "./grants.ts";
import { parseRecord } from "./lease.ts";
import { formatLeaseId } from "./lease-id.ts";
import {
  formatLeaseName,
  keyDigest,
  type LeaseName,
  NO_KEY,
  parseLeaseName,
  RANDOM_LENGTH,
} from "./lease-name.ts";
import type {
  IssuedLogin,
  IssueOutcome,
  LeaseDeps,
  Pepper,
  Peppers,
  RandomBytes,
} from "./ports.ts";
import type { ConsumerRequest } from "./request.ts";
import { scheduleRevocation } from "./schedules.ts";

export interface IssueDeps extends LeaseDeps {
  readonly deployment: Deployment;
  readonly endpoint: Endpoint;
  readonly peppers: Peppers;
  readonly random: RandomBytes;
}

type IssueRequest = Extract<ConsumerRequest, { action: "issue" }>;

/**
 * Create a login that ends by itself, or with an idempotency key find the one it already made.
 *
 * The name is chosen before anything is sent, so an answer that got lost is found again by it.
 *
 * @throws LeaseRefusedError at the limit of live leases; nothing was created.
 */
export async function issueLease(
  deps: IssueDeps,
  grant: GrantedRole,
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
  /** Of the login that this attempt would create. */
  readonly password: Secret;
}

async function attempt(
  { deployment, ledger, random }: IssueDeps,
  { consumer, role, settings }: GrantedRole,
  { ttlSeconds, idempotencyKey }: IssueRequest,
  { pepper, replay }: { readonly pepper: Pepper | undefined; readonly replay: boolean },
): Promise<Attempt> {
  const name: LeaseName = {
    tag: deployment.tag,
    shard: Buffer.from(random(4)).readUInt32BE() % deployment.shards,
    consumer,
    role,
    digest: idempotencyKey === undefined ? NO_KEY : keyDigest(consumer, role, idempotencyKey),
    random: base32(random(8), RANDOM_LENGTH),
  };
  const password = pepper ? derivedPassword(pepper, formatLeaseName(name)) : randomPassword(random);
  const outcome = await ledger.issue({
    name,
    ...settings,
    verifier: await scramVerifier(password),
    ttlSeconds,
    shards: deployment.shards,
    replay,
    record: { consumer, role, ...(pepper && { pepper: pepper.version }) },
  });
  return { ...orRefuse(outcome, { consumer, role, settings }), password };
}

function orRefuse(outcome: IssueOutcome, { consumer, role, settings }: GrantedRole): IssuedLogin {
  if (outcome.kind !== "limit") return outcome;
  const [who, limit] =
    outcome.scope === "role"
      ? [`role ${role}`, settings.maxLeases]
      : [`${consumer} for role ${role}`, settings.maxLeasesPerConsumer];
  throw new LeaseRefusedError(
    "limit reached",
    `${who} has ${outcome.live} live leases of at most ${limit}; revoke what is not used, send an idempotencyKey so that restarts do not add up, or raise the limit in the configuration`,
  );
}

/** The password that logs in, or `undefined` for a replay whose pepper is gone. */
async function passwordOf({ peppers }: IssueDeps, login: Attempt): Promise<Secret | undefined> {
  if (login.kind === "issued") return login.password;
  const version = parseRecord(login.row.comment)?.pepper;
  const pepper = version === undefined ? undefined : await peppers.version(version);
  return pepper && derivedPassword(pepper, login.row.username);
}

async function render(
  deps: IssueDeps,
  grant: GrantedRole,
  { kind, row }: IssuedLogin,
  password: Secret,
): Promise<Credential> {
  const { oid, username, validUntil: expiresAt } = row;
  const name = parseLeaseName(username);
  const record = parseRecord(row.comment);
  if (name === undefined || expiresAt === undefined || record === undefined)
    throw new DatabaseUnavailableError(
      `login ${username} was not as it was made; ask again for another`,
    );
  const scheduled =
    kind === "replayed" || (await scheduleRevocation(deps, { name, username, oid }, expiresAt));
  deps.telemetry.audit({
    event: kind === "issued" ? "lease.issued" : "lease.replayed",
    leaseId: formatLeaseId(deps.database, grant.role, username),
    consumer: grant.consumer,
    role: grant.role,
    roleOid: oid,
    issuedAt: iso(record.issuedAt),
    expiresAt: iso(expiresAt),
    maxExpiresAt: iso(record.maxExpiresAt),
    revocationScheduled: scheduled,
  });
  deps.telemetry.measure(kind === "issued" ? "LeasesIssued" : "LeasesReplayed", 1);
  return credential(
    deps.database,
    grant,
    { username, password, scheduled },
    { ...record, expiresAt },
    deps.endpoint,
  );
}
