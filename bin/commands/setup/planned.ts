import type { ParsedConfig } from "../../../config/config.ts";
import { modelOf, toPlan } from "../../../config/plan.ts";
import { addressOf, tagOf } from "../../../core/names.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { configPath, loadConfig } from "../../load-config.ts";
import { Exit, Failure } from "../../terminal/exit.ts";

/** The options with which a user chooses the configuration and the database to print for. */
export interface PlanOptions {
  readonly database?: string;
  readonly config?: string;
  readonly stack: string;
}

/**
 * The plan that a stack of this name sends its provisioner.
 *
 * @throws ConfigError if the configuration is wrong; Failure if the database is not clear.
 */
export const plannedIn = async (options: PlanOptions): Promise<ProvisionPlan> =>
  planIn(await loadConfig(configPath(options.config ?? process.env.MAYFLY_CONFIG)), options);

function planIn(
  config: ParsedConfig,
  { database, stack }: Pick<PlanOptions, "database" | "stack">,
): ProvisionPlan {
  const names = Object.keys(config.databases);
  const [only] = names;
  if (database === undefined && names.length > 1)
    throw new Failure(
      Exit.usage,
      `the configuration has the databases ${names.join(", ")}; name one with --database`,
    );
  const name = database ?? only ?? "";
  // where lib/mayfly-stack.ts puts the construct: under the stack, by its name
  const tag = config.databases[name]?.tag ?? tagOf(addressOf(stack, `${stack}/${name}`));
  const model = modelOf(config, name, tag);
  if (model !== undefined) return toPlan(model);
  throw new Failure(
    Exit.usage,
    `the configuration has no database ${name}; it has ${names.join(", ")}`,
  );
}
