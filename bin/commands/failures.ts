import type { FailedLease } from "../../core/leases/revocation/revoke.ts";
import { Exit, statusOfType } from "./exit.ts";
import { type Io, say } from "./io.ts";

/** Print what could not be done with which lease, and why; many with one reason in one line. */
export function sayFailures(io: Io, failed: readonly FailedLease[]): void {
  const reasons = Map.groupBy(
    failed,
    ({ leaseId, errorType, reason }) => `${errorType}: ${reason.replaceAll(leaseId, "…")}`,
  );
  for (const [reason, leases] of reasons) {
    const [first] = leases;
    const more = leases.length > 1 ? ` and ${leases.length - 1} more` : "";
    say(io, `${first?.leaseId}${more}: ${reason}`);
  }
}

/** Try again if every failure may pass by itself; else as the first one that does not. */
export const statusOfFailures = (failed: readonly FailedLease[]): Exit =>
  failed
    .map(({ errorType }) => statusOfType(errorType))
    .find((status) => status !== Exit.tryAgain) ?? Exit.tryAgain;
