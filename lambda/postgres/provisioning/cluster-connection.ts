import type { Login } from "../connection/login.ts";
import { type OpenSession, openSession, type Session } from "../connection/session.ts";
import { LIMITS } from "./limits.ts";

/** Where a cluster is changed, as the administrator. */
export interface ClusterConnection {
  readonly admin: Login;
  /** `server_version_num`. */
  readonly version: number;
  /** On the maintenance database. */
  readonly session: Session;
  readonly inDatabase: InDatabase;
}

/** Work in another database; what comes next in the same one finds the connection open. */
export type InDatabase = <T>(
  database: string,
  work: (session: Session) => Promise<T>,
) => Promise<T>;

/** Work in databases as the administrator, on one connection at a time, and close the last whatever happens. */
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
