import type { Blocker } from "../../core/leases/lease-ports.ts";
import type { FailedLease, KeptLease } from "../../core/leases/revocation/revoke.ts";
import { Exit, statusOfType } from "./exit.ts";
import { type Io, say } from "./io.ts";

/** Print each lease that failed, and why. Leases that failed for one reason share a line. */
export function sayFailures(io: Io, failed: readonly FailedLease[]): void {
  const reasons = Map.groupBy(
    failed,
    ({ leaseId, errorType, reason }) => `${errorType}: ${reason.replaceAll(leaseId, "…")}`,
  );
  sayEach(io, reasons);
}

/** Print each lease whose role is kept, and what keeps it. */
export function sayKept(io: Io, kept: readonly KeptLease[]): void {
  const states = { quarantined: "in quarantine", unverified: "unverified" };
  sayEach(
    io,
    Map.groupBy(
      kept,
      ({ state, blockers }) =>
        `${states[state]}, kept by ${blockersText(blockers) || "what is gone by now"}`,
    ),
  );
}

function sayEach(
  io: Io,
  reasons: ReadonlyMap<string, readonly { readonly leaseId: string }[]>,
): void {
  for (const [reason, leases] of reasons) {
    const [first] = leases;
    const more = leases.length > 1 ? ` and ${leases.length - 1} more` : "";
    say(io, `${first?.leaseId}${more}: ${reason}`);
  }
}

/** What keeps a role, e.g. `2 owner (pg_class in orders)`. */
export const blockersText = (blockers: readonly Blocker[]): string =>
  blockers
    .map(
      ({ count: n, kind, why, ...each }) =>
        `${n} ${kind} (${catalogText(each)})${why === undefined ? "" : `: ${why}`}`,
    )
    .join(", ");

export const catalogText = ({ catalog, database }: Pick<Blocker, "catalog" | "database">): string =>
  `${catalog} in ${database}`;

/** `tryAgain` if every failure may pass by itself; else the status of the first that does not. */
export const statusOfFailures = (failed: readonly FailedLease[]): Exit =>
  failed
    .map(({ errorType }) => statusOfType(errorType))
    .find((status) => status !== Exit.tryAgain) ?? Exit.tryAgain;
