import type { AdoptedServer } from "../rds/rds.ts";

/** A secret that is there before the stack. */
export interface ExistingSecret {
  /** Name or complete ARN. */
  readonly id: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** The administrator's secret, whose ARN the value names as `masterarn`. */
  readonly administrator?: string;
}

/** A database that a configuration says exists: a server of our own stands for it. */
export interface ExistingDatabase extends AdoptedServer {
  readonly name: string;
  readonly secrets: readonly ExistingSecret[];
}
