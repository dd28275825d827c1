import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import type { Keeper, Login } from "../../client/keeper/keeper.ts";
import { type Proxy as LoopbackProxy, startProxy } from "../../client/proxy/proxy.ts";
import type { ProxyEvent } from "../../client/proxy/proxy-events.ts";
import type { ServerAddress } from "../../client/proxy/server-login.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { makeTrustedRoots } from "../../client/proxy/upstream/trusted-roots.ts";
import { systemTime } from "../../client/time.ts";
import { Secret } from "../../core/secret.ts";
import { RDS_ROOTS } from "../rds-roots.ts";
import type { ProxyAddress } from "./connection-variables.ts";
import { makeSocketFolder } from "./socket-folder.ts";

/** How clients come in. */
export type Door =
  /** A port on 127.0.0.1 with a random password. 0: a free port. */
  | { readonly kind: "port"; readonly port: number }
  /** The same without a password: where the loopback belongs to one application. */
  | { readonly kind: "private-port"; readonly port: number }
  /** A Unix socket that only this user may open. */
  | { readonly kind: "socket" };

export interface OpenProxyOptions {
  readonly keeper: Keeper;
  readonly login: Login;
  /** The user name that clients are told. */
  readonly user: string;
  readonly door: Door;
  /** PEM of the authorities to trust. Undefined: RDS's, and Node's for other hosts. */
  readonly authorities: string | undefined;
  /** Each gets one more port, with the same password. */
  readonly readers: readonly ServerAddress[];
  readonly onEvent: (event: ProxyEvent) => void;
}

/** Proxies for one lease: one to its server, one to each reader. */
export interface OpenProxy extends AsyncDisposable {
  readonly address: ProxyAddress;
  readonly readers: readonly ProxyAddress[];
  /** Of the lease's own server. */
  readonly proxy: LoopbackProxy;
  /** Of all servers. */
  readonly sessions: number;
}

/** 192 bits: nobody guesses it, and it needs no escape in a URL. */
const makePassword = (): Secret => new Secret(randomBytes(24).toString("base64url"));

/** The port in the name of the socket, by which libpq finds it. */
const SOCKET_PORT = 5_432;

/** Start the proxies. @throws Failure or ListenError if one cannot listen. */
export async function openProxy(options: OpenProxyOptions): Promise<OpenProxy> {
  const { keeper, login, user, door, readers, onEvent } = options;
  const servers = makeServers({
    roots: makeTrustedRoots({ rds: RDS_ROOTS, ca: options.authorities }),
    time: systemTime,
  });
  const password = door.kind === "port" ? makePassword() : undefined;
  const closing: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  const open = async (server: ServerAddress | undefined, port: number): Promise<LoopbackProxy> => {
    const socketFolder = door.kind === "socket" ? makeSocketFolder() : undefined;
    if (socketFolder !== undefined)
      closing.push(() => rmSync(socketFolder, { recursive: true, force: true }));
    const proxy = await startProxy({
      keeper,
      servers,
      server,
      listen: socketFolder === undefined ? { port } : { socketFolder },
      localPassword: password,
      applicationName: `mayfly@${hostname()}`,
      onEvent,
      time: systemTime,
      random: randomBytes,
    });
    closing.push(() => proxy.close());
    return proxy;
  };
  const addressOf = ({ port, socketPath }: LoopbackProxy): ProxyAddress => ({
    host: socketPath === undefined ? "127.0.0.1" : dirname(socketPath),
    port: port ?? SOCKET_PORT,
    user,
    database: login.dbname,
    password,
  });
  try {
    const proxy = await open(undefined, door.kind === "socket" ? 0 : door.port);
    const others: LoopbackProxy[] = [];
    for (const reader of readers) others.push(await open(reader, 0));
    const all = [proxy, ...others];
    return {
      address: addressOf(proxy),
      readers: others.map(addressOf),
      proxy,
      get sessions() {
        return all.reduce((sum, each) => sum + each.sessions, 0);
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
