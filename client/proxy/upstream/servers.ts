import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { seconds } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";
import { channelBindingOf } from "../scram/channel-binding.ts";
import { KnownKeys } from "../scram/known-keys.ts";
import { ScramFailure } from "../scram/scram-failure.ts";
import {
  ServerRefusal,
  type ServerRequest,
  type ServerSession,
  type Servers,
  ServerUnreachable,
} from "../server-login.ts";
import { MalformedMessage, MessageReader } from "../wire/message-reader.ts";
import { cancelRequest, startupPacket } from "../wire/messages.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { LoginExchange } from "./login-exchange.ts";
import { openConnection, probeServer } from "./server-connection.ts";
import { withTimeLimit } from "./time-limit.ts";
import type { TrustedRoots } from "./trusted-roots.ts";
import { unreachable } from "./unreachable.ts";

/**
 * A server under load may take its time to fork. With connecting and TLS, 17 seconds at most: the
 * client waits 20, and reads why there is no login.
 */
const LOGIN_LIMIT = seconds(5);
const CANCEL_LIMIT = seconds(5);

/** Messages of a login are short, but for notices of login triggers. Bytes. */
const LONGEST_MESSAGE = 64 * 1_024;

/** RFC 5802 leaves the length to us; libpq takes as many bytes. */
const NONCE_BYTES = 18;

/** What connections to servers are made with. */
export interface ServersOptions {
  readonly roots: TrustedRoots;
  readonly time: ClientTime;
}

/**
 * PostgreSQL servers. TLS 1.2 or later with verified chain and name (unless a login says
 * plaintext), and always SCRAM-SHA-256, with channel binding where the server offers it.
 */
export function makeServers({ roots, time }: ServersOptions): Servers {
  const known = new KnownKeys();
  const secureContext = makeSecureContexts(roots);
  return {
    logIn: async (request) => {
      const { server, login, signal } = request;
      const socket = await openConnection({ server, tls: login.tls, secureContext, time, signal });
      const limit = {
        time,
        length: LOGIN_LIMIT,
        signal,
        late: () => unreachable(server, "is silent in the login; look at its log"),
      };
      return withTimeLimit(socket, limit, () => logIn(socket, request, known));
    },
    cancel: async (server, tls, cancelKey) => {
      const signal = new AbortController().signal;
      const late = (): Error => unreachable(server, "does not answer a CancelRequest");
      try {
        const socket = await openConnection({ server, tls, secureContext, time, signal });
        await withTimeLimit(socket, { time, length: CANCEL_LIMIT, signal, late }, () =>
          sendAndWait(socket, cancelRequest(cancelKey)),
        );
      } catch {
        // as PostgreSQL has it: who cancels learns nothing of it but the end of the statement
      }
    },
    probe: async (server, signal) => {
      try {
        await probeServer({ server, time, signal });
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Parsing roots takes longer than a handshake, so those of a host are parsed once. */
export function makeSecureContexts(roots: TrustedRoots): (host: string) => SecureContext {
  const contexts = new Map<string, SecureContext>();
  return (host) => {
    const ca = typeof roots === "function" ? roots(host) : roots;
    const name = ca === undefined ? "" : ca.join("\n");
    const context =
      contexts.get(name) ??
      createSecureContext({ minVersion: "TLSv1.2", ...(ca !== undefined && { ca: [...ca] }) });
    contexts.set(name, context);
    return context;
  };
}

async function logIn(
  socket: Socket,
  { server, login, protocol, parameters }: ServerRequest,
  known: KnownKeys,
): Promise<ServerSession> {
  const exchange = new LoginExchange({
    server,
    login,
    channelBinding: socket instanceof TLSSocket ? channelBindingOf(socket) : undefined,
    nonce: randomBytes(NONCE_BYTES).toString("base64"),
    known,
  });
  const user = Buffer.from(login.username, "utf8").toString("latin1");
  const chunks = new ChunkReader(socket);
  const messages = new MessageReader(LONGEST_MESSAGE);
  try {
    socket.write(startupPacket(protocol, [["user", user], ...parameters]));
    while (!exchange.isReady) {
      const message = messages.next();
      if (message === undefined) messages.add(await chunks.read());
      else {
        const answer = await exchange.take(message);
        if (answer !== undefined) socket.write(answer);
      }
    }
  } catch (error) {
    throw inWords(server, error);
  }
  const rest = Buffer.concat([messages.rest, chunks.release()]);
  return { socket, greeting: exchange.greeting, rest, cancelKey: exchange.cancelKey };
}

function inWords(server: ServerRequest["server"], error: unknown): unknown {
  if (error instanceof ServerRefusal || error instanceof ServerUnreachable) return error;
  if (error instanceof ScramFailure) return unreachable(server, error.message, error);
  return error instanceof MalformedMessage
    ? unreachable(server, "does not speak PostgreSQL's protocol; check host and port", error)
    : unreachable(server, "closed the connection in the login; look at its log", error);
}

function sendAndWait(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    socket.on("close", () => resolve());
    socket.resume();
    socket.end(bytes);
  });
}
