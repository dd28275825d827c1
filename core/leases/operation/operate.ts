import { bounded } from "../../doctor/bounded.ts";
import { type Examiner, examineAll } from "../../doctor/examiner.ts";
import type { Finding } from "../../doctor/finding.ts";
import { InvalidRequestError } from "../../errors.ts";
import type { ConvergeReport } from "../../provisioning/report.ts";
import type { Lease } from "../lease.ts";
import { parseLeaseId, shown } from "../lease-id.ts";
import type { LeaseDeps, Provisioner } from "../lease-ports.ts";
import { forOnePass } from "../readers.ts";
import type { Receipt } from "../receipt.ts";
import { actionIn, fieldsOf, refuseUnknown } from "../requests/lease-request.ts";
import { LEASE_STATES, type LeaseView, stateOf } from "../requests/lookup.ts";
import {
  type FailedLease,
  failedIn,
  type KeptLease,
  keptIn,
  revokeLease,
  revokeMany,
} from "../revocation/revoke.ts";
import { allPages, type LeaseFilter, type LeaseList, listLeases, readPage } from "./list.ts";
import { type SweepOptions, type SweepReport, sweep } from "./sweep.ts";
import { viewWatched, type WatchedView } from "./watch.ts";

/**
 * What a break-glass revocation has done so far. Repeat it with `next` until there is no `next`.
 */
export interface Revocations {
  readonly revoked: number;
  readonly quarantined: number;
  /** Latched, but a reader could not be checked; the sweep checks again. */
  readonly unverified: number;
  readonly failed: readonly FailedLease[];
  /** What keeps the quarantined and the unverified leases. Undefined if there are none. */
  readonly kept?: readonly KeptLease[];
  /** Continue after this name: the time is up, or the answer is full. */
  readonly next?: string;
}

/** The number of leases, by dynamic role, consumer and state; and the watched users. */
export interface Status {
  readonly leases: readonly {
    readonly role: string;
    readonly consumer: string;
    readonly state: LeaseView["state"];
    readonly count: number;
  }[];
  readonly foreign: number;
  /** The users that are watched. Undefined if there are none. */
  readonly watched?: readonly WatchedView[];
  /** Aliases have no resource policy: only IAM policies decide who may invoke which alias. */
  readonly aliasUnsealed?: true;
}

/** What doctors found, where functions can look: in the database, and on the way to AWS. */
export interface Examination {
  readonly findings: readonly Finding[];
}

export type OperatorAnswer =
  | LeaseList
  | Receipt
  | Revocations
  | SweepReport
  | Status
  | ConvergeReport
  | Examination;

/** The dependencies of the operator function, besides those of leases. */
export interface OperateDeps extends LeaseDeps {
  readonly provisioner: Provisioner;
  readonly examiners: readonly Examiner[];
  /** The deployment data of the functions. */
  readonly aliasUnsealed?: boolean | undefined;
}

type Fields = Readonly<Record<string, unknown>>;
type Action = (deps: OperateDeps, fields: Fields, options: SweepOptions) => Promise<OperatorAnswer>;

const MAX_LIMIT = 500;

/** Most failed leases, and blockers of kept ones, in one answer: an answer may have 6 MB. */
const MOST_LISTED = 1_000;

/** Leases that break-glass revokes together before it checks the time again. */
const BATCH = 200;

const ACTIONS = {
  list: { fields: ["role", "consumer", "state", "after", "limit"], run: list },
  revoke: { fields: ["leaseId", "prefix", "consumer", "everything", "after"], run: revoke },
  sweep: { fields: [], run: (deps, _, options) => sweep(deps, options) },
  status: { fields: [], run: status },
  converge: { fields: [], run: (deps, _, options) => converge(deps, options) },
  doctor: {
    fields: [],
    run: async ({ examiners }) => ({ findings: bounded(await examineAll(examiners)) }),
  },
} as const satisfies Readonly<Record<string, { fields: readonly string[]; run: Action }>>;

/**
 * Handle an operator's request: `list`, `revoke`, `sweep`, `status`, `converge` or `doctor`.
 *
 * @throws InvalidRequestError with the field, its value and the allowed values.
 */
export async function operate(
  deps: OperateDeps,
  event: unknown,
  options: SweepOptions,
): Promise<OperatorAnswer> {
  const fields = fieldsOf(event);
  const action = actionIn(fields, ACTIONS);
  const { fields: known, run } = ACTIONS[action];
  refuseUnknown(fields, action, known);
  return run(deps, fields, options);
}

function list(deps: LeaseDeps, fields: Fields): Promise<LeaseList> {
  const { state, limit = MAX_LIMIT } = fields;
  if (state !== undefined && !LEASE_STATES.some((each) => each === state))
    throw new InvalidRequestError(`state ${shown(state)} is not one of ${LEASE_STATES.join(", ")}`);
  if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new InvalidRequestError(`limit ${shown(limit)} is not 1 to ${MAX_LIMIT}`);
  const filter: LeaseFilter = {
    ...optional("role", fields),
    ...optional("consumer", fields),
    ...(state !== undefined && { state: state as LeaseView["state"] }),
  };
  return listLeases(deps, filter, { after: optional("after", fields).after ?? "", limit });
}

async function revoke(
  deps: LeaseDeps,
  fields: Fields,
  options: SweepOptions,
): Promise<Receipt | Revocations> {
  const selectors = ["leaseId", "prefix", "consumer", "everything"].filter(
    (name) => fields[name] !== undefined,
  );
  if (selectors.length !== 1)
    throw new InvalidRequestError(
      `revoke needs exactly one of leaseId, prefix, consumer or everything; got ${selectors.join(", ") || "none"}`,
    );
  const { actor } = options;
  if (fields.leaseId !== undefined)
    return revokeLease(deps, parseOwn(deps, fields.leaseId), { onlyIfDue: false, actor });
  return revokeAll(deps, selectorOf(fields), optional("after", fields).after ?? "", options);
}

function parseOwn(deps: LeaseDeps, value: unknown) {
  const id = parseLeaseId(value);
  if (id.database === deps.database && id.name.tag === deps.tag) return id;
  throw new InvalidRequestError(
    `lease ${shown(value)} does not belong to database ${deps.database} of this stack; call the operator function of the stack that issued it`,
  );
}

function selectorOf(fields: Fields): (lease: Lease) => boolean {
  const { everything } = fields;
  const { prefix } = optional("prefix", fields);
  const { consumer } = optional("consumer", fields);
  if (prefix === "")
    throw new InvalidRequestError(
      `prefix "" matches every lease; send {"everything":true} to revoke all`,
    );
  if (prefix !== undefined) return ({ username }) => username.startsWith(prefix);
  if (consumer !== undefined) return ({ name }) => name.consumer === consumer;
  if (everything === true) return () => true;
  throw new InvalidRequestError(`everything is true or left out, got ${shown(everything)}`);
}

async function revokeAll(
  all: LeaseDeps,
  selected: (lease: Lease) => boolean,
  from: string,
  { actor, mayContinue }: SweepOptions,
): Promise<Revocations> {
  const deps = forOnePass(all);
  const failed: FailedLease[] = [];
  const kept: KeptLease[] = [];
  const tally = { revoked: 0, quarantined: 0, unverified: 0 };
  let listed = 0;
  let after: string | undefined = from;
  while (after !== undefined) {
    if (!mayContinue() || listed >= MOST_LISTED) break;
    const { leases, next } = await readPage(deps, after, BATCH);
    const chosen = leases.filter(selected);
    const done = await revokeMany(deps, chosen, { onlyIfDue: false, actor });
    const [failedNow, keptNow] = [failedIn(done), keptIn(done)];
    failed.push(...failedNow);
    kept.push(...keptNow);
    listed += failedNow.length + keptNow.flatMap(({ blockers }) => blockers).length;
    for (const each of done)
      if ("receipt" in each) {
        const { state } = each.receipt;
        tally[state === "quarantined" || state === "unverified" ? state : "revoked"] += 1;
      }
    after = next;
  }
  return {
    ...tally,
    failed,
    ...(kept.length > 0 && { kept }),
    ...(after !== undefined && { next: after }),
  };
}

async function status(deps: OperateDeps): Promise<Status> {
  const counts = new Map<string, Status["leases"][number]>();
  let foreign = 0;
  for await (const page of allPages(deps)) {
    foreign += page.foreign.length;
    for (const lease of page.leases) {
      const { role, consumer } = lease.name;
      const state = stateOf(lease, page.now);
      const key = `${role}/${consumer}/${state}`;
      counts.set(key, { role, consumer, state, count: (counts.get(key)?.count ?? 0) + 1 });
    }
  }
  const leases = [...counts.values()];
  const watched = await viewWatched(deps);
  return {
    leases,
    foreign,
    ...(watched.length > 0 && { watched }),
    ...(deps.aliasUnsealed && { aliasUnsealed: true }),
  };
}

/** Logged before and after, so that a lost answer still leaves a line. */
async function converge(
  { telemetry, provisioner }: OperateDeps,
  { actor }: SweepOptions,
): Promise<ConvergeReport> {
  telemetry.audit({ event: "converge.requested", actor });
  const report = await provisioner.converge();
  telemetry.audit({ event: "database.converged", actor, ...report });
  return report;
}

/** The characters of role, consumer and lease names. */
const PART_OF_NAME = /^[a-z0-9_-]{0,128}$/;

function optional<Name extends string>(name: Name, fields: Fields): { [N in Name]?: string } {
  const value = fields[name];
  if (value === undefined) return {};
  if (typeof value === "string" && PART_OF_NAME.test(value))
    return { [name]: value } as { [N in Name]?: string };
  throw new InvalidRequestError(
    `${name} ${shown(value)} is not a text of at most 128 characters of a-z, 0-9, - and _`,
  );
}
