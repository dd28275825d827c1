import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createSecureContext, type SecureContextOptions, TLSSocket } from "node:tls";
import { generate } from "selfsigned";
import { makeScramServer } from "../../client/proxy/scram/scram-server.ts";
import { ChunkReader } from "../../client/proxy/upstream/chunk-reader.ts";
import { type Message, MessageReader } from "../../client/proxy/wire/message-reader.ts";
import { FROM_SERVER } from "../../client/proxy/wire/message-types.ts";
import {
  authenticationOk,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  message,
} from "../../client/proxy/wire/messages.ts";
import { Secret } from "../../core/secret.ts";

/** A certificate that is its own authority. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** What a certificate is made for. */
export interface CertificateOptions {
  readonly name?: string;
  readonly from?: Date;
  readonly to?: Date;
}

export async function makeCertificate(options: CertificateOptions = {}): Promise<Certificate> {
  const { name = "localhost", from, to } = options;
  const made = await generate([{ name: "commonName", value: `test ${Math.random()}` }], {
    keyType: "ec",
    algorithm: "sha256",
    ...(from && { notBeforeDate: from }),
    ...(to && { notAfterDate: to }),
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: name },
          ...(name === "localhost" ? [{ type: 7 as const, ip: "127.0.0.1" }] : []),
        ],
      },
    ],
  });
  return { key: made.private, cert: made.cert };
}

/** The server's end of a connection, for a script. */
export class ScriptedConnection {
  socket: Socket;
  #chunks: ChunkReader;
  readonly #messages = new MessageReader(100_000);

  constructor(socket: Socket) {
    this.socket = socket;
    this.#chunks = new ChunkReader(socket);
    socket.on("error", () => {});
  }

  chunk(): Promise<Buffer> {
    return this.#chunks.read();
  }

  /** The client's next message with a type. */
  async message(): Promise<Message> {
    for (;;) {
      const next = this.#messages.next();
      if (next !== undefined) return next;
      this.#messages.add(await this.chunk());
    }
  }

  write(...messages: readonly (Buffer | string)[]): void {
    this.socket.write(Buffer.concat(messages.map((each) => Buffer.from(each))));
  }

  /** Answer SSLRequest with `S` and speak TLS from then on. */
  async secure(options: SecureContextOptions): Promise<void> {
    await this.chunk();
    this.write("S");
    this.#chunks.release();
    const secured = new TLSSocket(this.socket, {
      isServer: true,
      secureContext: createSecureContext(options),
    });
    secured.on("error", () => {});
    this.socket = secured;
    this.#chunks = new ChunkReader(secured);
  }

  /** Read the startup packet and go through SCRAM honestly, to before AuthenticationOk. */
  async prove(password: string): Promise<void> {
    await this.chunk();
    const scram = await makeScramServer(new Secret(password), (n) => Buffer.alloc(n, 7));
    const exchange = scram.begin();
    this.write(authenticationSasl(scram.mechanisms));
    this.write(authenticationSaslContinue(exchange.first((await this.message()).body)));
    this.write(authenticationSaslFinal(exchange.final((await this.message()).body)));
  }
}

export const PARAMETER = message(FROM_SERVER.parameterStatus, Buffer.from("a\0b\0"));
export const READY = message(FROM_SERVER.readyForQuery, Buffer.from("I"));
export const OK = authenticationOk();

/** What a server does with each connection. The connection stays open when it ends. */
export type Script = (connection: ScriptedConnection) => Promise<void> | void;

/** A server that does not behave as PostgreSQL does. */
export class LyingServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly port: number;

  private constructor(server: Server, port: number, sockets: Set<Socket>) {
    this.#server = server;
    this.port = port;
    this.#sockets = sockets;
  }

  static async start(script: Script): Promise<LyingServer> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // clients that notice the lie go away in the middle of the script
      void Promise.resolve(script(new ScriptedConnection(socket))).catch(() => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return new LyingServer(server, address.port, sockets);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
