import { ConfigError } from "../errors.ts";
import { type Duration, seconds } from "../time.ts";
import type { DatabaseSecret } from "./database-secret.ts";
import type { Comparison, RotationSession, ServerLogin } from "./rotation-ports.ts";
import type { RotationRequest } from "./rotation-request.ts";
import type { RotationSettings } from "./settings.ts";
import {
  needPending,
  onServer,
  type RotationDeps,
  readCurrent,
  type StepFacts,
  sameHost,
} from "./versions.ts";

/** Most differences that an error names. */
const SHOWN_AT_MOST = 5;

/** A replica gets the new password a moment later. */
const ATTEMPTS_ON_REPLICA = 5;
const BETWEEN_ATTEMPTS: Duration = seconds(2);

/**
 * Prove that applications can work with the pending login: the server in the secret accepts it, it
 * acts as the right role, it has exactly the current user's privileges, and it can run the
 * configured queries.
 */
export async function testSecret(deps: RotationDeps, request: RotationRequest): Promise<StepFacts> {
  const { secretId: id } = request;
  const { group, actsAsGroup, testQueries } = deps.settings;
  const facts: { foreignGrants?: readonly string[] } = {};
  const current = await readCurrent(deps, id);
  const pending = await needPending(deps, request, current);
  const session = await logIn(deps, id, pending);
  try {
    if (pending.username !== current.username) {
      const { differences, foreign } = await session.compareUsers({
        username: pending.username,
        other: current.username,
        limit: SHOWN_AT_MOST,
        ...ownersOf(deps.settings),
      });
      if (foreign.length > 0) facts.foreignGrants = foreign;
      if (differences.length > 0)
        throw new ConfigError(
          `secret ${id}: the two users differ: ${differences.join("; ")}; give privileges to ${group ?? "the roles that both are members of"}, never to one user`,
        );
    }
    const actsAs = await session.actsAs();
    if (actsAsGroup === true && actsAs !== group)
      throw new ConfigError(
        `secret ${id}: ${pending.username} acts as ${actsAs} and not as ${group}, and would own what it creates; have a DBA run: ALTER ROLE "${pending.username.replaceAll('"', '""')}" SET role = '${(group ?? "").replaceAll("'", "''")}';`,
      );
    await session.tryQueries(testQueries);
    return facts;
  } finally {
    await session.end();
  }
}

/**
 * The owners of the application's objects. Not the group of a dynamic role: its leases can act as
 * the group.
 */
const ownersOf = ({ owner, group, actsAsGroup }: RotationSettings): Pick<Comparison, "owners"> =>
  owner === undefined
    ? {}
    : { owners: [owner, ...(actsAsGroup === true && group !== undefined ? [group] : [])] };

/** Where applications log in: on the server, or on the replica that the secret names. */
async function logIn(
  deps: RotationDeps,
  id: string,
  pending: DatabaseSecret,
): Promise<RotationSession> {
  const isReplica = !sameHost(pending.host, deps.server.host);
  const { host, port } = isReplica ? pending : deps.server;
  const login: ServerLogin = { ...onServer(deps, pending), host, port };
  for (let attempt = 1; ; attempt++) {
    const answer = await deps.servers.logIn(login);
    if (!("refused" in answer)) return answer;
    if (!isReplica || attempt === ATTEMPTS_ON_REPLICA)
      throw new ConfigError(
        `secret ${id}: ${host} refuses the pending login of ${pending.username} (code ${answer.refused}); setSecret has not set its password: aws secretsmanager rotate-secret`,
      );
    await deps.time.wait(BETWEEN_ATTEMPTS);
  }
}
