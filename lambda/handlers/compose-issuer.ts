import { randomBytes } from "node:crypto";
import type { IssueDeps } from "../../core/leases/requests/issue.ts";
import { peppersIn } from "../aws/peppers.ts";
import { type Composition, compose } from "./compose.ts";
import { type Environment, required } from "./environment.ts";

/** Like {@link compose}, with the additional adapters for issuing. */
export function composeIssuer(env: Environment): Composition & { readonly deps: IssueDeps } {
  const composition = compose(env);
  const { deployment, endpoint, secrets, deps } = composition;
  const { PEPPER_SECRET_ARN } = required(env, ["PEPPER_SECRET_ARN"]);
  const peppers = peppersIn(secrets, PEPPER_SECRET_ARN);
  return { ...composition, deps: { ...deps, deployment, endpoint, peppers, random: randomBytes } };
}
