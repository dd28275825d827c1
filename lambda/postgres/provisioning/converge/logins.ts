import { StatementRejectedError } from "../../../../core/errors.ts";
import type { Limits, Login } from "../../connection/login.ts";
import { scramVerifier } from "../../connection/scram.ts";
import { type Session, withSession } from "../../connection/session.ts";
import { ident, literal, sql } from "../../connection/sql.ts";
import { DENIED, WRONG_PASSWORD } from "../../connection/sqlstates.ts";

/**
 * Make sure that a login works: log in, and become each role that it must be able to become. Its
 * password is set, as a verifier, only if the server does not accept it yet.
 *
 * @returns whether the password was set.
 * @throws StatementRejectedError if the login still does not work.
 */
export async function convergeLogin(
  admin: Session,
  login: Login,
  limits: Limits,
  become: readonly string[] = [],
): Promise<boolean> {
  if (await isProved(login, limits, become)) return false;
  await setPassword(admin, login, limits, become);
  return true;
}

/**
 * Set the password of a login, as a verifier, and prove that it works, like {@link convergeLogin}.
 */
export async function setPassword(
  admin: Session,
  login: Login,
  limits: Limits,
  become: readonly string[] = [],
): Promise<void> {
  const verifier = await scramVerifier(login.password);
  await admin.apply(`set the password of ${login.username}`, [
    sql`alter role ${ident(login.username)} password ${literal(verifier)} valid until 'infinity'`,
  ]);
  await prove(login, limits, become);
}

/**
 * Whether a login works, as for {@link convergeLogin}. False if its password is wrong.
 *
 * @throws StatementRejectedError if the password is right but the login does not work.
 */
export async function isProved(
  login: Login,
  limits: Limits,
  become: readonly string[] = [],
): Promise<boolean> {
  try {
    await prove(login, limits, become);
    return true;
  } catch (error) {
    if (isRejected(error, WRONG_PASSWORD)) return false;
    throw error;
  }
}

/** Whether the password of a login is right, even if the database refuses the login. */
export async function isKnown(login: Login, limits: Limits): Promise<boolean> {
  try {
    await withSession(login, limits, async () => {});
    return true;
  } catch (error) {
    if (isRejected(error, WRONG_PASSWORD)) return false;
    if (isRejected(error, DENIED)) return true;
    throw error;
  }
}

const isRejected = (error: unknown, sqlState: string): boolean =>
  error instanceof StatementRejectedError && error.engineCode === sqlState;

const prove = (login: Login, limits: Limits, become: readonly string[]): Promise<void> =>
  withSession(login, limits, (session) =>
    session.apply(`log in as ${login.username}`, [
      sql`select 1`,
      ...become.map((role) => sql`set local role ${ident(role)}`),
    ]),
  );
