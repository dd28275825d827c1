import type { Duration } from "../../core/time.ts";

/** Ready-made files. `ca` is the PEM of the authorities that the login's server is checked by. */
export type FileFormat = "env" | "json" | "pgpass" | "pg_service" | "jdbc" | "lines" | "ca";

/** What makes a file's content. */
export type FileContent =
  | { readonly kind: "format"; readonly format: FileFormat }
  /** A Handlebars template. `source` names it in messages: its path, or the path of its file. */
  | { readonly kind: "template"; readonly text: string; readonly source: string };

/** What happens after a file has changed. */
export type OnChange =
  | { readonly kind: "command"; readonly command: readonly string[]; readonly timeout: Duration }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals; readonly pidFile: string };

export interface FileOwner {
  readonly user: number;
  readonly group: number;
}

/** A file that the agent keeps written. */
export interface FileConfiguration {
  readonly path: string;
  /** One login, or several that a template tells apart by name. */
  readonly from: string | readonly string[];
  readonly content: FileContent;
  /** Permission bits. */
  readonly mode: number;
  readonly owner: FileOwner | undefined;
  readonly onChange: OnChange | undefined;
}

/** Where clients of a login's proxy come in. */
export type ProxyConfiguration =
  | { readonly kind: "socket"; readonly folder: string }
  /** A port with a password, which is in a file that is made if there is none. */
  | { readonly kind: "port"; readonly port: number; readonly passwordFile: string }
  /** A port without one: where nobody else is on the loopback. */
  | { readonly kind: "private-port"; readonly port: number };

interface LoginConfiguration {
  /** In the configuration, in templates, in logs and metrics. */
  readonly name: string;
  readonly proxy: ProxyConfiguration | undefined;
  /** Its name on Secrets Manager's port. Undefined: it is not there. */
  readonly secretName: string | undefined;
}

export interface LeaseConfiguration extends LoginConfiguration {
  readonly kind: "lease";
  /** Of the issuer's alias. */
  readonly arn: string;
  readonly ttl: Duration | undefined;
  /** Undefined: one of the agent's own, which its state remembers. */
  readonly key: string | undefined;
  /** Others hold leases of the key too: they are not revoked at the end. */
  readonly isShared: boolean;
}

export interface SecretConfiguration extends LoginConfiguration {
  readonly kind: "secret";
  /** Its name or ARN in Secrets Manager. */
  readonly id: string;
}

/** A port of 127.0.0.1 whose callers must have a token. */
export interface GuardedPort {
  /** 0: a free one. */
  readonly port: number;
  /** Made if there is none. */
  readonly tokenFile: string;
}

export interface SecretsManagerConfiguration extends GuardedPort {
  /** Callers of the SDK's protocol need no token: nobody else is on the loopback. */
  readonly isPrivate: boolean;
  /** For how long clients keep what they have read. AWS's do so for an hour. */
  readonly clientCache: Duration;
}

/** What an agent does, checked. */
export interface AgentConfiguration {
  readonly logins: readonly (LeaseConfiguration | SecretConfiguration)[];
  readonly files: readonly FileConfiguration[];
  readonly secretsManager: SecretsManagerConfiguration | undefined;
  /** `/livez`, `/readyz` and `/metrics`. */
  readonly health: GuardedPort | undefined;
  /** A folder on a memory volume: a restart finds its leases by what is in it. */
  readonly stateFolder: string | undefined;
  /** A PEM file of authorities. Undefined: RDS's, and Node's for other hosts. */
  readonly ca: string | undefined;
  /** How long open sessions may go on after SIGTERM. */
  readonly grace: Duration;
}
