import { ConfigError } from "../errors.ts";
import { AWSCURRENT, AWSPENDING } from "./check-request.ts";
import type { SecretDescription } from "./rotation-ports.ts";
import type { RotationRequest } from "./rotation-request.ts";
import { needPending, onServer, type RotationDeps, readCurrent } from "./versions.ts";

/**
 * Make the pending version the current one, if its login works: whatever happened before this step,
 * no application must get a password that the server does not accept.
 */
export async function finishSecret(
  deps: RotationDeps,
  request: RotationRequest,
  { versions }: SecretDescription,
): Promise<void> {
  const { secretId: id, token } = request;
  const pending = await needPending(deps, request, await readCurrent(deps, id));
  const answer = await deps.servers.logIn(onServer(deps, pending));
  if ("refused" in answer)
    throw new ConfigError(
      `secret ${id}: ${deps.server.host} refuses the pending login of ${pending.username} (code ${answer.refused}), which therefore does not become ${AWSCURRENT}; setSecret has not set its password: aws secretsmanager rotate-secret`,
    );
  await answer.end();
  const from = [...versions].find(([, stages]) => stages.includes(AWSCURRENT))?.[0];
  await deps.secrets.moveLabel(id, AWSCURRENT, {
    to: token,
    ...(from !== undefined && { from }),
  });
  await deps.secrets.moveLabel(id, AWSPENDING, { from: token });
}

/**
 * Remove `AWSPENDING` from a version that is current. A crash may have left it, or Secrets Manager,
 * which removes it later.
 */
export async function dropPendingLabel(
  deps: RotationDeps,
  { secretId: id, token }: RotationRequest,
  { versions }: SecretDescription,
): Promise<void> {
  if (versions.get(token)?.includes(AWSPENDING))
    await deps.secrets.moveLabel(id, AWSPENDING, { from: token });
}
