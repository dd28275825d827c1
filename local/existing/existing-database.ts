import type { AdoptedServer } from "../rds/rds.ts";

/** A secret that exists before the stack. */
export interface ExistingSecret {
  /** Name or complete ARN. */
  readonly id: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** The administrator's secret. The value gets its ARN as `masterarn`. */
  readonly administrator?: string;
}

/** An existing database of a configuration. A local server stands for it. */
export interface ExistingDatabase extends AdoptedServer {
  readonly name: string;
  readonly secrets: readonly ExistingSecret[];
}
