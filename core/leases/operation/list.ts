import type { Instant } from "../../time.ts";
import type { Lease } from "../lease.ts";
import type { Engine } from "../lease-ports.ts";
import { type LeaseView, viewOf } from "../requests/lookup.ts";

/** Most roles read in one round trip. */
const PAGE = 500;

/** A role that is named like a lease but is not a lease: reported, never touched. */
export interface ForeignRole {
  readonly username: string;
  readonly why: string;
}

/** One page of the engine's list, sorted by name. */
export interface Page {
  readonly leases: readonly Lease[];
  readonly foreign: readonly ForeignRole[];
  readonly now: Instant;
  /** Continue after this name; absent on the last page. */
  readonly next?: string;
}

export async function readPage(
  { engine }: { readonly engine: Pick<Engine, "list"> },
  after: string,
  limit: number = PAGE,
): Promise<Page> {
  const { roles, now, next } = await engine.list(after, limit);
  return {
    leases: roles.flatMap((role) => (role.kind === "lease" ? [role.lease] : [])),
    foreign: roles.flatMap((role) =>
      role.kind === "foreign" ? [{ username: role.username, why: role.why }] : [],
    ),
    now,
    ...(next !== undefined && { next }),
  };
}

/** Every page, one after the other. */
export async function* allPages(
  deps: Parameters<typeof readPage>[0],
): AsyncGenerator<Page, void, undefined> {
  let after: string | undefined = "";
  while (after !== undefined) {
    const page: Page = await readPage(deps, after);
    yield page;
    after = page.next;
  }
}

/** Which leases to list; all of them for an empty filter. */
export interface LeaseFilter {
  readonly role?: string;
  readonly consumer?: string;
  readonly state?: LeaseView["state"];
}

/** A page of leases as the operator sees it. A page may be short, or empty, and not the last. */
export interface LeaseList {
  readonly leases: readonly LeaseView[];
  readonly foreign: readonly ForeignRole[];
  readonly next?: string;
}

export async function listLeases(
  deps: Parameters<typeof readPage>[0] & { readonly database: string },
  filter: LeaseFilter,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<LeaseList> {
  const { leases, foreign, now, next } = await readPage(deps, after, limit);
  return {
    leases: leases.map((lease) => viewOf(deps.database, lease, now)).filter(matches(filter)),
    foreign,
    ...(next !== undefined && { next }),
  };
}

const matches =
  ({ role, consumer, state }: LeaseFilter) =>
  (view: LeaseView): boolean =>
    (role === undefined || view.role === role) &&
    (consumer === undefined || view.consumer === consumer) &&
    (state === undefined || view.state === state);
