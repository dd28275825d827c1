import { ConfigError } from "../../../../core/errors.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { type Changes, changesOf } from "../../../../core/provisioning/report.ts";
import { type WantedUser, wantedUsers } from "../../../../core/rotation/rotated-users.ts";
import type { Login } from "../../connection/login.ts";
import { scramVerifier } from "../../connection/scram.ts";
import type { Session } from "../../connection/session.ts";
import { checkUsers, unknownPassword } from "../check/check-users.ts";
import { refuseIf, someOf } from "../check/problems.ts";
import type { ClusterConnection } from "../cluster-connection.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { LIMITS } from "../limits.ts";
import { administer } from "../memberships.ts";
import { convergeLogin, setPassword } from "./logins.ts";
import { knownPassword, type RotatedLogin, rotatedLogins } from "./rotated-secrets.ts";
import {
  createUser,
  isMember,
  isOurs,
  joinGroup,
  mendsOf,
  type UserState,
  usersIn,
} from "./rotated-users.ts";

/** The existing users of the plan, and users of its tag that are no longer in the plan. */
export function statesOf(
  session: Session,
  version: number,
  plan: ProvisionPlan,
): Promise<readonly UserState[]> {
  const [database = ""] = plan.databases;
  const names = wantedUsers(plan).map(({ name }) => name);
  return usersIn(session, version, { names, tag: plan.tag, database });
}

/** Other characters would need SASLprep for a verifier. */
const PRINTABLE = /^[ -~]*$/;

const unusablePassword = (secret: string, arn: string): string =>
  `the password in the rotated secret "${secret}" (${arn}) must be printable ASCII, for Mayfly to set it; put a version that has one`;

/** The problems of the plan's rotated users. Changes nothing. */
export async function checkRotatedUsers(
  deps: ProvisionDeps,
  { admin, version, session }: Pick<ClusterConnection, "admin" | "session" | "version">,
  plan: ProvisionPlan,
): Promise<readonly string[]> {
  const states = await statesOf(session, version, plan);
  const [database = ""] = plan.databases;
  const connection = { version, admin: admin.username, database };
  const found = await checkUsers(session, plan, states, connection);
  const { logins, problems } = await rotatedLogins(deps, plan);
  const passwords: string[] = [];
  for (const user of wantedUsers(plan)) {
    const state = states.find(({ name }) => name === user.name);
    const arn = deps.rotatedSecrets[user.secret];
    // an unreadable secret is already a problem
    if (arn === undefined || !logins.some((login) => login.arn === arn)) continue;
    const held = logins.find(({ username }) => username === user.name);
    const isToSet = state === undefined || isOurs(plan.tag, state);
    if (isToSet && held !== undefined && !PRINTABLE.test(held.password.reveal()))
      passwords.push(unusablePassword(user.secret, arn));
    if (isToSet || !state.login || state.ended) continue;
    const { host, port, ssl } = admin;
    const login = { host, port, database, username: user.name, ssl };
    if ((await knownPassword(deps, arn, login)) === undefined)
      passwords.push(unknownPassword(plan.tag, user, arn));
  }
  return [...problems, ...found, ...passwords];
}

/**
 * Create the user in each rotated secret, and repair existing users. The first rotation creates the
 * second of two alternating users.
 *
 * @throws ConfigError if a secret or a user no longer passes the checks.
 */
export async function makeRotatedUsers(
  deps: ProvisionDeps,
  connection: ClusterConnection,
  plan: ProvisionPlan,
): Promise<Changes> {
  const users = wantedUsers(plan);
  if (users.length === 0) return changesOf();
  const { logins, problems } = await rotatedLogins(deps, plan);
  refuseIf(problems, "rotated secrets cannot be used");
  const { session, version } = connection;
  const states = await statesOf(session, version, plan);
  const changes: Partial<Changes>[] = [];
  for (const user of users) {
    const state = states.find(({ name }) => name === user.name);
    const login = logins.find(({ username }) => username === user.name);
    if (state !== undefined) changes.push(await mend(deps, connection, plan.tag, user, state));
    if (login === undefined) continue;
    changes.push(
      state === undefined
        ? await make(deps, connection, plan, user, login)
        : await repairPassword(deps, connection, plan, { user, state, held: login }),
    );
  }
  await verify(connection, plan);
  const ours = (await statesOf(session, version, plan)).filter((each) => isOurs(plan.tag, each));
  await administer(
    connection,
    plan.owner,
    ours.map(({ name }) => name),
  );
  return changesOf(...changes);
}

async function make(
  { log }: ProvisionDeps,
  { session, admin, version }: ClusterConnection,
  plan: ProvisionPlan,
  user: WantedUser,
  held: RotatedLogin,
): Promise<Partial<Changes>> {
  const verifier = await scramVerifier(held.password);
  const statements = createUser(plan.tag, user, verifier, version);
  await session.apply(`make the rotated user ${user.name}`, statements);
  await convergeLogin(session, loginOf(admin, plan, held), LIMITS, becomes(user));
  log("rotated user made and proved", { user: user.name, secret: user.secret });
  return { rolesMade: 1, membershipsGranted: 1, passwordsSet: 1 };
}

async function mend(
  { log, warn }: ProvisionDeps,
  { session, version }: ClusterConnection,
  tag: string,
  user: WantedUser,
  state: UserState,
): Promise<Partial<Changes>> {
  const joins = isMember(tag, user, state) ? [] : [joinGroup(user, version)];
  const mends = mendsOf(tag, user, state);
  await session.apply(`mend the rotated user ${user.name}`, [...joins, ...mends]);
  if (joins.length + mends.length > 0) log("rotated user mended", { user: user.name });
  const others = state.memberships.filter(({ group, own }) => !own && group !== user.group);
  if (isOurs(tag, state) && others.length > 0)
    warn("a rotated user is a member of more than its group: somebody else granted that", {
      user: user.name,
      what: someOf(others.map(({ group }) => group)),
    });
  return { membershipsGranted: joins.length, rolesCorrected: mends.length > 0 ? 1 : 0 };
}

/**
 * Keep the user's password if some version of the secret holds it: its rotation is not finished. If
 * no version does, and the user is Mayfly's, set the password of `AWSCURRENT` again.
 */
async function repairPassword(
  deps: ProvisionDeps,
  { session, admin }: ClusterConnection,
  plan: ProvisionPlan,
  {
    user,
    state,
    held,
  }: { readonly user: WantedUser; readonly state: UserState; readonly held: RotatedLogin },
): Promise<Partial<Changes>> {
  const login = loginOf(admin, plan, held);
  const stage = (await knownPassword(deps, held.arn, login))?.stage;
  const facts = { user: user.name, secret: user.secret };
  if (stage === "AWSPENDING")
    deps.log("a rotation is under way; the password is left alone", facts);
  if (stage === "AWSPREVIOUS")
    deps.warn("the database knows the password of AWSPREVIOUS alone; rotate the secret now", facts);
  if (stage !== undefined) return {};
  if (!isOurs(plan.tag, state)) throw new ConfigError(unknownPassword(plan.tag, user, held.arn));
  await setPassword(session, login, LIMITS, becomes(user));
  deps.log("the password of a rotated user is set from its secret again", facts);
  return { passwordsSet: 1 };
}

/** The user's login, without the administrator's `role: none`: the user acts as its group. */
const loginOf = (
  { host, port, ssl }: Login,
  plan: ProvisionPlan,
  { username, password }: RotatedLogin,
): Login => {
  const [database = ""] = plan.databases;
  return { host, port, database, username, password, ssl };
};

const becomes = ({ actsAsGroup, group }: WantedUser): readonly string[] =>
  actsAsGroup ? [group] : [];

/** Check the result: PostgreSQL accepts some statements without any effect. */
async function verify({ session, version }: ClusterConnection, plan: ProvisionPlan): Promise<void> {
  const states = await statesOf(session, version, plan);
  const lacking = wantedUsers(plan).filter((user) =>
    states.some((state) => state.name === user.name && !isMember(plan.tag, user, state)),
  );
  refuseIf(
    lacking.map(({ name, group }) => `${name} is no member of ${group}`),
    'step "mend the rotated users" had no effect',
  );
}
