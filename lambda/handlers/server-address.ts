import type { ServerAddress } from "../postgres/provisioning/admin-login.ts";
import { type Environment, required } from "./environment.ts";

/** The address of the administrator's server, from a function's environment. */
export function serverAddress(env: Environment): ServerAddress {
  const set = required(env, ["DB_HOST", "DB_PORT", "AWS_REGION", "LAMBDA_TASK_ROOT"]);
  return {
    host: set.DB_HOST,
    port: Number(set.DB_PORT),
    region: set.AWS_REGION,
    folder: set.LAMBDA_TASK_ROOT,
  };
}
