import type { AuditEvent } from "../../../core/audit.ts";

/** The words to search a log group for an audit line. */
export const auditWords = (
  event: AuditEvent["event"],
  ...others: readonly string[]
): readonly string[] => [event, ...others];
