import type { Login } from "../../../client/keeper/keeper.ts";
import type { LeaseSource } from "../../../client/keeper/sources/lease-source.ts";
import type { ServerAddress } from "../../../client/proxy/server-login.ts";
import type { Instant } from "../../../core/time.ts";
import type { DoctorPorts } from "../doctor-ports.ts";

/** Where clients of an agent's proxy come in. */
export interface ProxyAddress {
  /** A port of 127.0.0.1, or the path of a Unix socket. */
  readonly at: number | string;
}

/** What listens at a proxy's address. */
export type ProxyAnswer =
  | { readonly kind: "nobody"; readonly code: string }
  /** Another program, or none that speaks PostgreSQL's protocol. */
  | { readonly kind: "other"; readonly words: string }
  | { readonly kind: "proxy" };

/** What a proxy says to a client that wants a session. */
export type ProxyLogin =
  | { readonly kind: "session" }
  /** It wants one, which the doctor does not know. */
  | { readonly kind: "password" }
  | { readonly kind: "refused"; readonly words: string };

/** What the doctor sees of networks. */
export interface WayPorts extends Pick<DoctorPorts, "env" | "now" | "request"> {
  /** @throws the resolver's error, with its code. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** Whether a server answers a request for TLS. @throws ServerUnreachable */
  readonly reach: (server: ServerAddress) => Promise<void>;
  /** TLS with verified chain and name: until when the certificate is good. @throws ServerUnreachable */
  readonly secure: (server: ServerAddress) => Promise<Instant>;
  /** Log in, and out again. @throws ServerUnreachable, ServerRefusal */
  readonly logIn: (login: Login) => Promise<void>;
  readonly askProxy: (at: ProxyAddress["at"]) => Promise<ProxyAnswer>;
  readonly openSession: (at: ProxyAddress["at"]) => Promise<ProxyLogin>;
}

/** Where to look. */
export interface WayQuestion {
  /** Of the issuers, or the environment's. */
  readonly regions: readonly string[];
  /** The database, if a person named it. */
  readonly server?: ServerAddress | undefined;
  /** A lease that is issued for the login, and revoked. */
  readonly lease?: LeaseSource | undefined;
  readonly proxies: readonly ProxyAddress[];
  /** Why the agent's configuration cannot be read. */
  readonly configurationError?: string | undefined;
}
