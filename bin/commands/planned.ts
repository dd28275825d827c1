import type { ParsedConfig } from "../../config/config.ts";
import { modelOf, toPlan } from "../../config/plan.ts";
import { addressOf, tagOf } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { configPath, loadConfig } from "../load-config.ts";
import { Exit, Failure } from "./exit.ts";

/** How a command is told for which database of which configuration it prints. */
export interface PlanOptions {
  readonly database?: string;
  readonly config?: string;
  readonly stack: string;
}

/**
 * What the stack of that name would send its provisioner.
 *
 * @throws ConfigError when the configuration is wrong; Failure when the database is not clear.
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
