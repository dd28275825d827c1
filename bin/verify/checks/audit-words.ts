import type { AuditEvent } from "../../../core/audit.ts";

/** What an audit line holds: to look for it in a log group. */
export const auditWords = (
  event: AuditEvent["event"],
  ...others: readonly string[]
): readonly string[] => [event, ...others];
