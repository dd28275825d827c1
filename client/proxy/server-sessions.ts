import type { Keeper, Login } from "../keeper/keeper.ts";
import type { ClientTime } from "../time.ts";
import type { ProxyEvent } from "./proxy-events.ts";
import { type ServerAddress, ServerRefusal, type Servers } from "./server-login.ts";
import { ServerSide } from "./session/server-side.ts";
import type { Slots } from "./slots.ts";
import { serverParameters } from "./startup/startup-parameters.ts";
import type { Startup } from "./startup/startup-reader.ts";

/** SQLSTATEs of a login whose lease may be over: wrong or no password, no such user, NOLOGIN. */
const LEASE_MAY_BE_OVER = new Set(["28P01", "28000"]);

/** What a login waits for. */
export type LoginStage = "lease" | "server";

/** What opening a session at the server needs. */
export interface ServerSessionsOptions {
  readonly keeper: Keeper;
  readonly servers: Servers;
  /** Instead of the login's host and port. */
  readonly server: ServerAddress | undefined;
  readonly applicationName: string;
  readonly slots: Slots;
  readonly time: ClientTime;
  readonly onEvent: (event: ProxyEvent) => void;
  readonly onStage?: (stage: LoginStage) => void;
}

/** A server side that is open, and what the server has said to the client. */
export interface OpenedServer {
  readonly side: ServerSide;
  readonly greeting: Buffer;
  readonly rest: Buffer;
  /** `application_name` as the server has it, latin1. */
  readonly application: string;
}

/**
 * Log in at the server for a client, with the newest lease. If the server refuses that, the keeper
 * is asked once for another, and the client does not notice.
 *
 * @throws ServerRefusal, ServerUnreachable, the keeper's error, or `signal`'s reason.
 */
export async function openServerSession(
  options: ServerSessionsOptions,
  startup: Startup,
  signal: AbortSignal,
): Promise<OpenedServer> {
  const { keeper, onEvent, onStage } = options;
  const login = await keeper.current(signal);
  onStage?.("server");
  try {
    return await logIn(options, startup, login, signal);
  } catch (error) {
    if (!(error instanceof ServerRefusal) || !LEASE_MAY_BE_OVER.has(error.sqlstate)) throw error;
    onEvent({ kind: "login-retried", username: login.username, sqlstate: error.sqlstate });
    onStage?.("lease");
    const other = await keeper.replace(login, signal);
    onStage?.("server");
    return logIn(options, startup, other, signal);
  }
}

async function logIn(
  options: ServerSessionsOptions,
  startup: Startup,
  login: Login,
  signal: AbortSignal,
): Promise<OpenedServer> {
  const { servers, applicationName, time, slots } = options;
  const server = options.server ?? { host: login.host, port: login.port };
  const parameters = serverParameters(startup, { database: login.dbname, applicationName });
  const { protocol } = startup;
  const opened = await slots.use(signal, () =>
    servers.logIn({ server, login, protocol, parameters, signal }),
  );
  return {
    side: new ServerSide({ opened, server, login, servers, time }),
    greeting: opened.greeting,
    rest: opened.rest,
    application: parameters.get("application_name") ?? "",
  };
}
