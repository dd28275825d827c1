import { connect, isIP, type Socket } from "node:net";
import tls from "node:tls";
import { seconds } from "../../../core/time.ts";
import type { Login } from "../../keeper/keeper.ts";
import type { ClientTime } from "../../time.ts";
import type { ServerAddress } from "../server-login.ts";
import { sslRequest } from "../wire/messages.ts";
import { ChunkReader, ConnectionClosed } from "./chunk-reader.ts";
import { withTimeLimit } from "./time-limit.ts";
import { NO_ANSWER, unreachable, wordsForConnect, wordsForTls } from "./unreachable.ts";

/** Together with that of the login shorter than what clients wait for a login. */
const CONNECT_LIMIT = seconds(4);
const TLS_LIMIT = seconds(4);

/** Linux asks ten times more, a second apart, and gives up: a dead peer is noticed after 40 s. */
const KEEPALIVE = seconds(30);

const ACCEPTS_TLS = 0x53; // S
const REFUSES_TLS = 0x4e; // N
const REPORTS_ERROR = 0x45; // E

/** What a connection needs. */
export interface ConnectionOptions {
  readonly server: ServerAddress;
  readonly tls: Login["tls"];
  readonly secureContext: (host: string) => tls.SecureContext;
  readonly time: ClientTime;
  readonly signal: AbortSignal;
}

/**
 * Connect to a server: TLS of which chain and name are verified, unless plaintext is wanted.
 *
 * @throws ServerUnreachable, or the signal's reason.
 */
export async function openConnection(options: ConnectionOptions): Promise<Socket> {
  const { server, time, signal } = options;
  const socket = await connectTo(options);
  if (options.tls === "plaintext") return socket;
  const limit = {
    time,
    length: TLS_LIMIT,
    signal,
    late: () => unreachable(server, "is silent in the TLS handshake; is it PostgreSQL?"),
  };
  const answer = await withTimeLimit(socket, limit, () => askForTls(socket, server));
  if (answer !== ACCEPTS_TLS) {
    socket.destroy();
    throw answer === REFUSES_TLS
      ? unreachable(server, "refuses TLS; set ssl = on there, or allow it in pg_hba.conf")
      : unreachable(server, "does not speak PostgreSQL's protocol; check host and port");
  }
  const { host } = server;
  const secured = tls.connect({
    socket,
    secureContext: options.secureContext(host),
    // a name may not be an address (RFC 6066), and Node would then check for `localhost`
    servername: isIP(host) === 0 ? host : "",
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate),
  });
  return withTimeLimit(secured, limit, () => handshake(secured, server));
}

/**
 * Whether a server answers a request for TLS. Says nothing of who it is.
 *
 * @throws ServerUnreachable, or the signal's reason.
 */
export async function probeServer(options: Omit<ConnectionOptions, "secureContext" | "tls">) {
  const { server, time, signal } = options;
  const socket = await connectTo(options);
  const late = (): Error => unreachable(server, "is silent");
  const limit = { time, length: TLS_LIMIT, signal, late };
  await withTimeLimit(socket, limit, () => askForTls(socket, server));
  socket.destroy();
}

async function connectTo(
  options: Omit<ConnectionOptions, "secureContext" | "tls">,
): Promise<Socket> {
  const { server, time, signal } = options;
  const socket = connect({
    host: server.address ?? server.host,
    port: server.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE,
  });
  // whoever uses the socket looks at what became of it; unheard, an error would end the process
  socket.on("error", () => {});
  const late = (): Error => unreachable(server, NO_ANSWER);
  await withTimeLimit(socket, { time, length: CONNECT_LIMIT, signal, late }, async () => {
    await happens(socket, "connect").catch((error: unknown) => {
      throw unreachable(server, wordsForConnect(error), error);
    });
  });
  return socket;
}

/** The answer to SSLRequest: one byte, and nothing behind it that TLS would not protect. */
async function askForTls(socket: Socket, server: ServerAddress): Promise<number | undefined> {
  const reader = new ChunkReader(socket);
  socket.write(sslRequest());
  const answer = await reader.read().catch((error: unknown) => {
    throw unreachable(server, "closed the connection before TLS; look at its log", error);
  });
  const rest = reader.release();
  if (answer[0] === REPORTS_ERROR)
    throw unreachable(server, "reports an error before TLS; look at its log");
  if (answer.length + rest.length > 1 || socket.readableLength > 0)
    throw unreachable(server, "sent more than one byte before TLS: somebody may be in between");
  return answer[0];
}

async function handshake(socket: tls.TLSSocket, server: ServerAddress): Promise<tls.TLSSocket> {
  socket.on("error", () => {});
  await happens(socket, "secureConnect").catch((error: unknown) => {
    throw unreachable(server, wordsForTls(error), error);
  });
  if (!socket.authorized) throw unreachable(server, "has a certificate that was not verified");
  return socket;
}

function happens(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = (): void => {
      socket.off(event, good);
      socket.off("error", bad);
      socket.off("close", closed);
    };
    const good = (): void => {
      over();
      resolve();
    };
    const bad = (error: Error): void => {
      over();
      reject(error);
    };
    const closed = (): void => bad(new ConnectionClosed());
    socket.on(event, good);
    socket.on("error", bad);
    socket.on("close", closed);
  });
}
