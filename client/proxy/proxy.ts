import { createServer, type Server } from "node:net";
import type { Secret } from "../../core/secret.ts";
import { type Duration, milliseconds, seconds } from "../../core/time.ts";
import type { Keeper } from "../keeper/keeper.ts";
import type { ClientTime } from "../time.ts";
import { Clients } from "./clients.ts";
import { safePoolLifetime } from "./ends/end-phases.ts";
import { LeaseEnds } from "./ends/lease-ends.ts";
import { type ProxyLimits, processLimits } from "./limits.ts";
import { type Listen, listen } from "./listener.ts";
import type { ProxyEvent } from "./proxy-events.ts";
import { Readiness } from "./readiness.ts";
import { makeScramServer, type ScramServer } from "./scram/scram-server.ts";
import type { ServerAddress, Servers } from "./server-login.ts";
import { watchServers } from "./session/watch-servers.ts";
import { Slots } from "./slots.ts";

export interface ProxyOptions {
  readonly keeper: Keeper;
  readonly listen: Listen;
  /**
   * Clients prove it by SCRAM-SHA-256, with any user name. Undefined: no password is asked for,
   * which is right on a Unix socket, and on a loopback that only the application shares.
   */
  readonly localPassword?: Secret | undefined;
  readonly servers: Servers;
  /** A reader. @default - the login's host and port */
  readonly server?: ServerAddress | undefined;
  /** `application_name` of clients that send none. */
  readonly applicationName: string;
  readonly limits?: Partial<ProxyLimits> | undefined;
  readonly onEvent: (event: ProxyEvent) => void;
  readonly time: ClientTime;
  /** Bytes that nobody can guess, as `randomBytes` of node:crypto gives. */
  readonly random: (bytes: number) => Buffer;
}

/** A database without a password on this machine's loopback. */
export interface Proxy extends AsyncDisposable {
  /** Undefined on a Unix socket. */
  readonly port: number | undefined;
  /** Undefined on a port. */
  readonly socketPath: string | undefined;
  /** Sessions whose connections are not both closed yet. */
  readonly sessions: number;
  /**
   * How long pools may keep connections so that the proxy never ends one. Undefined before the
   * first lease, and where none is ever replaced.
   */
  readonly safePoolLifetime: Duration | undefined;
  /** Whether a login works now. Looks at most once a second. Never throws. */
  ready(signal?: AbortSignal): Promise<boolean>;
  /** Accept nobody any more, wait for the sessions to end, and end them after `grace`, or at `hurry`. */
  close(grace?: Duration, hurry?: AbortSignal): Promise<void>;
}

/** How long connections may take to close once they were ended. */
const CLOSING = seconds(5);

/**
 * Listen, and give each client a session at the server with the newest lease of the keeper.
 *
 * @throws ListenError if it cannot listen.
 */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { localPassword, random } = options;
  const scram = localPassword && (await makeScramServer(localPassword, random));
  const proxy = new LoopbackProxy(options, scram);
  await proxy.listen();
  return proxy;
}

class LoopbackProxy implements Proxy {
  readonly #options: ProxyOptions;
  readonly #listener: Server;
  readonly #clients: Clients;
  readonly #ends: LeaseEnds;
  readonly #readiness: Readiness;
  readonly #stopped = new AbortController();
  #socketPath: string | undefined;
  #port: number | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ProxyOptions, scram: ScramServer | undefined) {
    this.#options = options;
    const { keeper, servers, server, applicationName, time, onEvent } = options;
    const limits = { ...processLimits(), ...options.limits };
    const slots = new Slots(limits.logins);
    const opening = { keeper, servers, server, applicationName, slots, time, onEvent };
    this.#clients = new Clients({ keeper, scram, opening, limits, time, onEvent });
    const { sessions } = this.#clients;
    this.#ends = new LeaseEnds({ keeper, sessions, time });
    this.#readiness = new Readiness(opening, limits.login);
    this.#listener = createServer((socket) => this.#clients.accept(socket));
  }

  get port(): number | undefined {
    return this.#port;
  }

  get socketPath(): string | undefined {
    return this.#socketPath;
  }

  get sessions(): number {
    return this.#clients.sessions.size;
  }

  get safePoolLifetime(): Duration | undefined {
    const { overlap } = this.#options.keeper;
    return overlap && safePoolLifetime(overlap);
  }

  async listen(): Promise<void> {
    try {
      this.#socketPath = await listen(this.#listener, this.#options.listen);
    } catch (error) {
      this.#ends.stop();
      throw error;
    }
    // a client that could not be accepted, for want of descriptors say: the others go on
    this.#listener.on("error", ({ message }) =>
      this.#options.onEvent({ kind: "client-refused", sqlstate: "53300", message }),
    );
    const address = this.#listener.address();
    this.#port = typeof address === "object" ? address?.port : undefined;
    void watchServers(this.#clients.sessions, this.#options.time, this.#stopped.signal);
  }

  async ready(signal?: AbortSignal): Promise<boolean> {
    return this.#closing === undefined && (await this.#readiness.isReady(signal));
  }

  close(grace: Duration = milliseconds(0), hurry?: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(grace, hurry);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(grace: Duration, hurry: AbortSignal | undefined): Promise<void> {
    this.#listener.close();
    this.#stopped.abort();
    await this.#emptyWithin(grace, hurry);
    this.#ends.stop();
    this.#clients.endAll("closing");
    await this.#emptyWithin(CLOSING);
    this.#clients.destroyAll();
    await this.#clients.empty();
  }

  async #emptyWithin(length: Duration, hurry?: AbortSignal): Promise<void> {
    const isEmpty = new AbortController();
    const empty = this.#clients.empty().then(() => isEmpty.abort());
    const over = AbortSignal.any([isEmpty.signal, ...(hurry === undefined ? [] : [hurry])]);
    await Promise.race([empty, this.#options.time.wait(length, over)]);
  }
}
