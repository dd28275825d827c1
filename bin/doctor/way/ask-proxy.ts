import { connect, type Socket } from "node:net";
import { ChunkReader, ConnectionClosed } from "../../../client/proxy/upstream/chunk-reader.ts";
import { withTimeLimit } from "../../../client/proxy/upstream/time-limit.ts";
import { errorFields } from "../../../client/proxy/wire/error-fields.ts";
import { MalformedMessage, MessageReader } from "../../../client/proxy/wire/message-reader.ts";
import { AUTHENTICATION, FROM_SERVER } from "../../../client/proxy/wire/message-types.ts";
import { startupPacket, terminate } from "../../../client/proxy/wire/messages.ts";
import { systemTime } from "../../../client/time.ts";
import { type Duration, seconds } from "../../../core/time.ts";
import type { ProxyAddress, ProxyAnswer, ProxyLogin } from "./way-ports.ts";

/** Protocol 3.0. */
const PROTOCOL = 196_608;
const LONGEST_MESSAGE = 64 * 1_024;

/** A proxy on the loopback answers at once. */
const ANSWER_LIMIT = seconds(5);
/** It may have to ask for a lease first. */
const SESSION_LIMIT = seconds(30);

/** What a server said first that ends a startup. */
interface Said {
  readonly kind: "error" | "password" | "ready";
  readonly words: string;
}

class Silent extends Error {
  override readonly name = "Silent";
}

/** A client that wants to replicate is refused by a Mayfly proxy, in its own words, without a login. */
export async function askProxy(at: ProxyAddress["at"]): Promise<ProxyAnswer> {
  try {
    const { kind, words } = await startupAt(at, [["replication", "true"]], ANSWER_LIMIT);
    if (kind === "error" && words.includes("the Mayfly proxy")) return { kind: "proxy" };
    return { kind: "other", words: kind === "error" ? words : "a PostgreSQL server" };
  } catch (error) {
    return whyNot(error);
  }
}

function whyNot(error: unknown): ProxyAnswer {
  if (error instanceof MalformedMessage || error instanceof ConnectionClosed)
    return { kind: "other", words: "it does not speak PostgreSQL's protocol" };
  if (error instanceof Silent) return { kind: "other", words: "it does not answer" };
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return { kind: "nobody", code };
}

/** A session as an application would open it, for a moment. */
export async function openSession(at: ProxyAddress["at"]): Promise<ProxyLogin> {
  try {
    const { kind, words } = await startupAt(at, [], SESSION_LIMIT);
    if (kind === "ready") return { kind: "session" };
    return kind === "error" ? { kind: "refused", words } : { kind: "password" };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: "refused", words: error.message };
  }
}

async function startupAt(
  at: ProxyAddress["at"],
  parameters: readonly (readonly [string, string])[],
  length: Duration,
): Promise<Said> {
  const socket = typeof at === "number" ? connect(at, "127.0.0.1") : connect(at);
  const limit = {
    time: systemTime,
    length,
    signal: new AbortController().signal,
    late: () => new Silent(`no answer within ${length / 1_000} s`),
  };
  return withTimeLimit(socket, limit, async () => {
    const said = await firstWords(socket, parameters);
    socket.end(terminate());
    socket.resume();
    return said;
  });
}

async function firstWords(
  socket: Socket,
  parameters: readonly (readonly [string, string])[],
): Promise<Said> {
  const chunks = new ChunkReader(socket);
  const messages = new MessageReader(LONGEST_MESSAGE);
  socket.write(startupPacket(PROTOCOL, [["user", "doctor"], ...parameters]));
  for (;;) {
    const message = messages.next();
    if (message === undefined) {
      messages.add(await chunks.read());
      continue;
    }
    const { type, body } = message;
    if (type === FROM_SERVER.errorResponse)
      return { kind: "error", words: errorFields(body).get("M") ?? "an error without words" };
    if (type === FROM_SERVER.readyForQuery) return { kind: "ready", words: "" };
    if (type === FROM_SERVER.authentication && body.readInt32BE(0) !== AUTHENTICATION.ok)
      return { kind: "password", words: "" };
  }
}
