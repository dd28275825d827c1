import type { Login } from "../connection/login.ts";
import { type OpenSession, openSession, type Session } from "../connection/session.ts";
import { LIMITS } from "./limits.ts";

/** The administrator's connection to a cluster. */
export interface ClusterConnection {
  readonly admin: Login;
  /** `server_version_num`. */
  readonly version: number;
  /** On the maintenance database. */
  readonly session: Session;
  readonly inDatabase: InDatabase;
}

/** Work in another database. The connection stays open for further work in the same database. */
export type InDatabase = <T>(
  database: string,
  work: (session: Session) => Promise<T>,
) => Promise<T>;

/**
 * Work in databases as the administrator, with one open connection at a time. Always closes the
 * last one.
 */
export async function withDatabases<T>(
  admin: Login,
  work: (inDatabase: InDatabase) => Promise<T>,
): Promise<T> {
  let last: { readonly database: string; readonly session: OpenSession } | undefined;
  const close = async (): Promise<void> => {
    const open = last;
    last = undefined;
    await open?.session.end();
  };
  const inDatabase: InDatabase = async (database, run) => {
    if (last?.database !== database) {
      await close();
      last = { database, session: await openSession({ ...admin, database }, LIMITS) };
    }
    try {
      return await run(last.session);
    } catch (error) {
      await close();
      throw error;
    }
  };
  try {
    return await work(inDatabase);
  } finally {
    await close();
  }
}
