import { DatabaseUnavailableError, MayflyError } from "../../../core/errors.ts";
import type { Reader, ReaderAddress, Readers } from "../../../core/leases/lease-ports.ts";
import type { Time } from "../../../core/time.ts";
import type { Login } from "../connection/login.ts";
import { type LoginSource, Maintenance, type Open } from "../connection/maintenance.ts";
import { postgresReader } from "./reader.ts";

export interface ReaderConnectionsDeps {
  /** The current addresses of the readers. Never rejects. */
  readonly addresses: () => Promise<readonly ReaderAddress[]>;
  /** The issuer login on the writer, which is valid on the readers too. */
  readonly login: LoginSource;
  /** How a host's certificate is checked. */
  readonly ssl: (host: string) => Login["ssl"];
  readonly open: Open;
  readonly tag: string;
  readonly time: Time;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * The readers of a cluster, with one connection each, which stays open while the reader is listed.
 */
export interface ReaderConnections extends Readers {
  /** End the connections in order. */
  close(): Promise<void>;
}

/** Readers with their own connections, opened at the first call. */
export function readerConnections(deps: ReaderConnectionsDeps): ReaderConnections {
  const open = new Map<string, Maintenance>();
  const closeAllBut = async (kept: ReadonlySet<string>): Promise<void> => {
    const gone = [...open].filter(([server]) => !kept.has(server));
    for (const [server] of gone) open.delete(server);
    await Promise.all(gone.map(([, maintenance]) => maintenance.close()));
  };
  return {
    list: async () => {
      const found = new Map<string, Reader>();
      for (const address of await deps.addresses()) {
        const server = "host" in address ? `${address.host}:${address.port}` : address.server;
        if (!found.has(server)) found.set(server, readerAt(deps, open, server, address));
      }
      await closeAllBut(new Set(found.keys()));
      return [...found.values()];
    },
    close: () => closeAllBut(new Set()),
  };
}

function readerAt(
  { login, ssl, open: connect, tag, time, random }: ReaderConnectionsDeps,
  open: Map<string, Maintenance>,
  server: string,
  address: ReaderAddress,
): Reader {
  if ("error" in address) return outOfReach(server, address.error);
  const { host, port, status } = address;
  const maintenance =
    open.get(server) ??
    new Maintenance(
      async (how) => ({ ...(await login(how)), host, port, ssl: ssl(host) }),
      connect,
    );
  open.set(server, maintenance);
  const reader = postgresReader({ server, maintenance, tag, time, random });
  return status === undefined ? reader : withStatus(reader, status);
}

/**
 * Adds the RDS status to errors. The reader is tried whatever its status, because it may accept
 * logins.
 */
function withStatus({ server, ...calls }: Reader, status: string): Reader {
  const say = (error: unknown): never => {
    if (!(error instanceof MayflyError)) throw error;
    throw new DatabaseUnavailableError(`${error.message}; its status in RDS is ${status}`);
  };
  return {
    server,
    look: (roles) => calls.look(roles).catch(say),
    countSessions: (role) => calls.countSessions(role).catch(say),
    sessionsWithoutRole: () => calls.sessionsWithoutRole().catch(say),
    findWatched: () => calls.findWatched().catch(say),
  };
}

function outOfReach(server: string, error: Error): Reader {
  const refuse = (): Promise<never> => Promise.reject(error);
  return {
    server,
    look: refuse,
    countSessions: refuse,
    sessionsWithoutRole: refuse,
    findWatched: refuse,
  };
}

/** The readers of a database that has only its writer. */
export const NO_READERS: Readers = { list: async () => [] };
