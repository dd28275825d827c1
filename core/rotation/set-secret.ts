import { ConfigError } from "../errors.ts";
import { type Duration, seconds } from "../time.ts";
import { readAdministrator, readNextAdministrator } from "./administrator.ts";
import type { DatabaseSecret } from "./database-secret.ts";
import { decideSetSecret, type Heard, type Label } from "./decide-set-secret.ts";
import { rotatedUserComment } from "./rotated-users.ts";
import type { RotationSession } from "./rotation-ports.ts";
import type { RotationRequest } from "./rotation-request.ts";
import type { RotationSettings } from "./settings.ts";
import {
  needPending,
  onServer,
  type RotationDeps,
  readCurrent,
  readPrevious,
  type StepFacts,
} from "./versions.ts";

/** RDS reports a password as applied a little before the server accepts it. */
const ATTEMPTS_AFTER_RDS = 10;
const BETWEEN_ATTEMPTS: Duration = seconds(2);

/**
 * Make the server accept the pending version's login.
 *
 * Safe to repeat after a crash anywhere: a login shows whether the password is already set.
 */
export async function setSecret(deps: RotationDeps, request: RotationRequest): Promise<StepFacts> {
  const { secretId: id } = request;
  const { strategy } = deps.settings;
  const current = await readCurrent(deps, id);
  const pending = await needPending(deps, request, current);
  const versions = { pending, current, previous: await readPrevious(deps, id, pending.username) };
  const heard: Heard = versions.previous === undefined ? { previous: { refused: "none" } } : {};
  const sessions: RotationSession[] = [];
  try {
    for (;;) {
      const next = decideSetSecret(strategy, heard);
      if (next.kind === "done") return {};
      if (next.kind === "give up") throw lockedOut(deps, id, heard);
      if (next.kind === "converge next user")
        return { changed: await convergeNextUser(deps, id, { current, pending }) };
      const [session] = sessions.slice(-1);
      if (next.kind === "ask RDS") {
        await askRds(deps, id, pending);
        return {};
      }
      if (next.kind === "set own password" && session !== undefined) {
        await session.setOwnPassword(pending.username, pending.password, {
          clear: strategy === "issuer-login",
        });
        return {};
      }
      if (next.kind === "log in") {
        const login = versions[next.as] ?? pending;
        const answer = await deps.servers.logIn(onServer(deps, login));
        if ("refused" in answer) heard[next.as] = answer;
        else {
          heard[next.as] = "accepted";
          sessions.push(answer);
        }
      }
    }
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
}

/**
 * Set up the next user as the administrator. The current login was accepted before, so the secret
 * is not forged.
 */
async function convergeNextUser(
  deps: RotationDeps,
  id: string,
  { current, pending }: { readonly current: DatabaseSecret; readonly pending: DatabaseSecret },
): Promise<readonly string[]> {
  const { settings } = deps;
  const session = await administratorSession(deps, id, current);
  try {
    return await session.convergeNextUser({
      username: pending.username,
      password: pending.password,
      group: settings.group ?? "",
      actsAsGroup: settings.actsAsGroup === true,
      like: current.username,
      database: current.dbname,
      comment: commentOf(settings),
    });
  } finally {
    await session.end();
  }
}

async function administratorSession(
  deps: RotationDeps,
  id: string,
  current: DatabaseSecret,
): Promise<RotationSession> {
  const { servers, server } = deps;
  const administrator = await readAdministrator(deps, id, current);
  // use the database of the administrator's secret: a writer of this secret must not choose it
  const dbname = administrator.dbname ?? current.dbname;
  const target = { ...server, dbname, ofApplication: false };
  const answer = await servers.logIn({ ...target, ...administrator.login });
  if (!("refused" in answer)) return answer;
  const next = await readNextAdministrator(deps, administrator);
  const second = next && (await servers.logIn({ ...target, ...next }));
  if (second !== undefined && !("refused" in second)) return second;
  throw new ConfigError(
    `the administrator's secret ${administrator.arn} holds a login that ${server.host} refuses (code ${answer.refused}); put the right password there`,
  );
}

async function askRds(deps: RotationDeps, id: string, pending: DatabaseSecret): Promise<void> {
  await deps.rds.setMasterPassword(pending.username, pending.password);
  for (let attempt = 1; ; attempt++) {
    const answer = await deps.servers.logIn(onServer(deps, pending));
    if (!("refused" in answer)) return answer.end();
    if (attempt === ATTEMPTS_AFTER_RDS)
      throw new ConfigError(
        `secret ${id}: RDS has applied the new password, and ${deps.server.host} refuses it (code ${answer.refused}); check that this is the instance's own address`,
      );
    await deps.time.wait(BETWEEN_ATTEMPTS);
  }
}

/** The error if the server accepts none of the known logins. Nothing was changed. */
function lockedOut({ settings, server }: RotationDeps, id: string, heard: Heard): ConfigError {
  const labels: readonly Label[] = ["pending", "current", "previous"];
  const tried = labels.flatMap((label) => {
    const answer = heard[label];
    if (answer === undefined || answer === "accepted") return [];
    return answer.refused === "none"
      ? [`AWS${label.toUpperCase()} (no version of this user)`]
      : [`AWS${label.toUpperCase()} (code ${answer.refused})`];
  });
  return new ConfigError(
    `secret ${id}: ${server.host} accepts no login of ${tried.join(" or ")}, and nothing was changed; ${REMEDY[settings.strategy]}`,
  );
}

/**
 * The role comment, by which the provisioner of the tag recognises its users. Without a tag, no
 * provisioner owns the user.
 */
const commentOf = ({ tag, secret }: RotationSettings): string =>
  tag === undefined ? `mayfly: rotated by "${secret}"` : rotatedUserComment(tag, secret);

const REMEDY = {
  "single-user":
    "set the user's password to the AWSCURRENT value by hand, or adopt strategy master-user: docs/rotation.md, A login nobody knows",
  "alternating-users":
    "the AWSCURRENT login must work before the other user is touched; set its password by hand: docs/rotation.md, A login nobody knows",
  "issuer-login": "have the provisioner repair it: mayfly converge",
  "master-user": "see the instance's events in RDS",
} as const;
