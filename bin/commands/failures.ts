import type { FailedLease } from "../../core/leases/revocation/revoke.ts";
import { Exit, statusOfType } from "./exit.ts";
import { type Io, say } from "./io.ts";

/** Print each lease that failed, and why. Leases that failed for one reason share a line. */
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

/** `tryAgain` if every failure may pass by itself; else the status of the first that does not. */
export const statusOfFailures = (failed: readonly FailedLease[]): Exit =>
  failed
    .map(({ errorType }) => statusOfType(errorType))
    .find((status) => status !== Exit.tryAgain) ?? Exit.tryAgain;
