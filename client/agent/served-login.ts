import { dirname } from "node:path";
import { type Duration, type Instant, milliseconds, seconds, toSeconds } from "../../core/time.ts";
import type { Keeper } from "../keeper/keeper.ts";
import { keepLease } from "../keeper/lease-keeper.ts";
import { keepSecret } from "../keeper/secret-keeper.ts";
import type { LeaseSource } from "../keeper/sources/lease-source.ts";
import type { SecretSource } from "../keeper/sources/secrets-manager.ts";
import { readOrMakeToken } from "../loopback/token-file.ts";
import type { Listen } from "../proxy/listener.ts";
import { type Proxy as LoopbackProxy, startProxy } from "../proxy/proxy.ts";
import { loginReadiness, type Readiness } from "../proxy/readiness.ts";
import type { Servers } from "../proxy/server-login.ts";
import type { ClientTime } from "../time.ts";
import type { AgentTold } from "./agent-events.ts";
import type {
  LeaseConfiguration,
  ProxyConfiguration,
  SecretConfiguration,
} from "./configuration.ts";
import { KeptOpen } from "./kept-open.ts";
import { type Publication, publish } from "./publication.ts";
import { cacheAdvice, overlapFor } from "./secrets-manager/cache-advice.ts";
import { SourceWatch } from "./source-watch.ts";

/** Where logins come from, and what connects to their servers. */
export interface LoginAdapters {
  /** By the ARN of an issuer's alias. @throws KeeperError if it is none */
  readonly leases: (arn: string) => LeaseSource;
  /** By name or ARN in Secrets Manager. */
  readonly secrets: (id: string) => SecretSource;
  readonly servers: Servers;
  /** `application_name` of clients that send none. */
  readonly applicationName: string;
  readonly time: ClientTime;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Bytes that nobody can guess, as `randomBytes` of node:crypto gives. */
  readonly randomBytes: (bytes: number) => Buffer;
}

export interface ServedLoginOptions extends LoginAdapters {
  readonly login: LeaseConfiguration | SecretConfiguration;
  /** The idempotency key of a lease. Undefined: a random one. */
  readonly key: string | undefined;
  /** Whether the lease lives on when the agent ends. */
  readonly isKept: boolean;
  /** Whether programs get user and password, by a file or on Secrets Manager's port. */
  readonly isHandedOut: boolean;
  /** For how long those that read it there keep it. Undefined: it is not there. */
  readonly clientCache: Duration | undefined;
  readonly onEvent: (event: AgentTold) => void;
}

/** One login of the configuration: who keeps it, and the ways by which programs have it. */
export class ServedLogin {
  readonly name: string;
  /** Whether its leases are nobody else's, so that they end with the agent. */
  readonly isOwn: boolean;
  readonly keeper: Keeper;
  readonly publication: Publication;
  readonly source: SourceWatch;
  readonly proxy: KeptOpen<LoopbackProxy> | undefined;
  readonly #readiness: Readiness;
  readonly #time: ClientTime;
  readonly #onEvent: (event: AgentTold) => void;
  /** When logins that were replaced end. */
  readonly #plannedEnds = new Map<string, Instant>();
  #hasFailedToEnd = false;

  constructor(options: ServedLoginOptions) {
    const { login, time, onEvent, isHandedOut } = options;
    this.name = login.name;
    this.isOwn = login.kind === "lease" && !login.isShared;
    this.#time = time;
    this.#onEvent = onEvent;
    this.source = new SourceWatch(time, (source, after) =>
      onEvent({ kind: "source-back", source, after }),
    );
    this.keeper = keeperOf(options, this.source);
    this.#tellKeeper();
    const { servers, applicationName } = options;
    const { keeper } = this;
    this.#readiness = loginReadiness({ keeper, servers, applicationName, time, onEvent });
    this.publication = publish({
      name: login.name,
      keeper: this.keeper,
      // a proxy meets refusals by itself
      look: async (signal) => isHandedOut && (await this.#readiness.isReady(signal)),
      time,
    });
    this.proxy = login.proxy && this.#keepProxy(login.proxy, options);
    if (options.clientCache !== undefined) this.#compareCache(options.clientCache);
  }

  /** Whether a program that has this login can work now. Never throws. */
  async isReady(signal: AbortSignal): Promise<boolean> {
    if (this.proxy !== undefined && this.proxy.opened === undefined) return false;
    return this.#readiness.isReady(signal);
  }

  /** Of the newest login, unless it is renewed. Undefined: there is none, or nobody knows. */
  get left(): Duration | undefined {
    const login = this.publication.newest?.login;
    const ends = login && this.source.endsOf(login.id);
    const last = login && this.keeper.endOf(login);
    if (ends === undefined || last === undefined) return undefined;
    const end = last - (ends.maxExpiresAt - ends.expiresAt);
    return milliseconds(Math.max(0, end - this.#time.now()));
  }

  /** Take no client any more, and end the sessions after `grace`, or at `hurry`. */
  async closeProxy(grace: Duration, hurry: AbortSignal | undefined): Promise<void> {
    const proxy = await this.proxy?.stop();
    await proxy?.close(grace, hurry);
  }

  /** Stop, and revoke. @returns whether its leases are over. */
  async close(): Promise<boolean> {
    await this.publication[Symbol.asyncDispose]();
    this.#hasFailedToEnd = false;
    await this.keeper.close(); // tells a failure
    // a lease that was lost while nobody answered may be valid: a renewal's answer was lost, say
    return !this.#hasFailedToEnd && this.source.away === 0;
  }

  #tellKeeper(): void {
    const { keeper } = this;
    keeper.on("renewed", (told) => this.#onEvent({ kind: "renewed", ...told }));
    keeper.on("failing", (told) => {
      this.#hasFailedToEnd = true;
      this.#onEvent({ kind: "failing", ...told });
    });
    keeper.on("replaced", (told) => {
      if (told.endsAt !== undefined) this.#plannedEnds.set(told.before.id, told.endsAt);
      this.#onEvent({ kind: "replaced", ...told });
    });
    keeper.on("lost", (told) => {
      const { id, username } = told.login;
      const planned = this.#plannedEnds.get(id);
      this.#plannedEnds.delete(id);
      const isPlanned = planned !== undefined && this.#time.now() >= planned - NEAR_END;
      this.#onEvent(isPlanned ? { kind: "ended", username } : { kind: "lost", ...told });
    });
  }

  #keepProxy(proxy: ProxyConfiguration, options: ServedLoginOptions): KeptOpen<LoopbackProxy> {
    const { servers, applicationName, time, random, randomBytes, onEvent } = options;
    const { keeper } = this;
    return new KeptOpen({
      open: async () =>
        startProxy({
          keeper,
          servers,
          listen: listenFor(proxy),
          localPassword:
            proxy.kind === "port" ? readOrMakeToken(proxy.passwordFile, randomBytes) : undefined,
          applicationName,
          onEvent,
          time,
          random: randomBytes,
        }),
      onOpen: ({ port, socketPath }) =>
        onEvent({
          kind: "port-open",
          what: PROXY,
          at: socketPath === undefined ? `127.0.0.1, port ${port}` : dirname(socketPath),
        }),
      onFailed: (message) => onEvent({ kind: "port-failed", what: PROXY, message }),
      time,
      random,
    });
  }

  /** The role's maximum decides how long two leases are valid together. */
  #compareCache(cache: Duration): void {
    const stop = this.publication.follow(() => {
      const { overlap } = this.keeper;
      if (overlap === undefined) return;
      const message = cacheAdvice(cache, overlap);
      if (message !== undefined) this.#onEvent({ kind: "cache-too-long", message });
      queueMicrotask(() => stop());
    });
  }
}

/** In logs, after the login's name. */
const PROXY = "the proxy";

/** The database's clock shows whole seconds, and the keeper's spread is as small. */
const NEAR_END = seconds(10);

const listenFor = (proxy: ProxyConfiguration): Listen =>
  proxy.kind === "socket" ? { socketFolder: proxy.folder } : { port: proxy.port };

function keeperOf(options: ServedLoginOptions, watch: SourceWatch): Keeper {
  const { login, key, isKept, clientCache, leases, secrets, time, random } = options;
  if (login.kind === "secret")
    return keepSecret({ source: watch.secrets(secrets(login.id)), time, random });
  return keepLease({
    source: watch.leases(leases(login.arn)),
    shared: login.isShared || isKept,
    ...(key !== undefined && { key }),
    ...(login.ttl !== undefined && { ttlSeconds: toSeconds(login.ttl) }),
    ...(clientCache !== undefined && { overlapSeconds: toSeconds(overlapFor(clientCache)) }),
    time,
    random,
  });
}
