import { CONVERGE, ConfigError, StatementRejectedError } from "../../../core/errors.ts";
import type { Time } from "../../../core/time.ts";
import type { Maintenance } from "../connection/maintenance.ts";
import { retryContended } from "../connection/retry.ts";
import { ident, joined, type Sql, sql } from "../connection/sql.ts";
import { CONTENDED, DENIED, NO_VERBS } from "../connection/sqlstates.ts";
import { functionName, VERBS_VERSION, type Verb, verbsSchema } from "./verbs.ts";

export interface CallDeps {
  readonly maintenance: Pick<Maintenance, "query">;
  readonly tag: string;
  readonly time: Time;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Call one verb, with bound values and typed rows. Every verb is safe to repeat, and is repeated
 * after contention.
 *
 * @param shard the shard whose issuer role runs the verb; ignored for verbs that run as the login
 *   itself.
 * @throws ConfigError if the database does not have the verb; MayflyError with the verb's name for
 *   every other error.
 */
export async function call<Row extends object>(
  deps: CallDeps,
  verb: Verb,
  shard: number,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const name = functionName(verb, shard);
  const holes = values.map((_, i) => `$${i + 1}` as Sql);
  const text = sql`select * from ${ident(verbsSchema(deps.tag))}.${ident(name)}(${joined(holes, sql`, `)})`;
  try {
    return await retryContended(verb, deps, () =>
      deps.maintenance.query<Row>(verb, { name, text, values }, CONTENDED),
    );
  } catch (error) {
    if (!(error instanceof StatementRejectedError)) throw error;
    if (error.engineCode === DENIED)
      throw new StatementRejectedError(verb, DENIED, { cause: error, remedy: CONVERGE });
    if (!NO_VERBS.has(error.engineCode)) throw error;
    throw new ConfigError(
      `the database has no verbs of version ${VERBS_VERSION} for tag "${deps.tag}" (no ${name}); complete the deployment of the stack, or run: mayfly converge`,
      { cause: error },
    );
  }
}
