import { readOrMakeToken } from "../loopback/token-file.ts";
import type { Health } from "../proxy/health.ts";
import { AgentCounts } from "./agent-counts.ts";
import type { AgentEvent, AgentTold } from "./agent-events.ts";
import { agentMetrics } from "./agent-metrics.ts";
import type { AgentConfiguration, FileConfiguration, GuardedPort } from "./configuration.ts";
import type { Changes } from "./files/changes/changes.ts";
import type { FileOutlet, FileOutletOptions } from "./files/file-outlet.ts";
import { KeptOpen } from "./kept-open.ts";
import { metricsText } from "./metrics-text.ts";
import type { Publication } from "./publication.ts";
import type { SecretsPort, SecretsPortOptions } from "./secrets-manager/secrets-port.ts";
import { type LoginAdapters, ServedLogin } from "./served-login.ts";
import { type AgentState, takeStateFolder } from "./state/state-folder.ts";

/** What the agent does not do itself. Loaded where it is used. */
export interface AgentAdapters extends LoginAdapters {
  readonly startFile: (options: FileOutletOptions) => Promise<FileOutlet>;
  /** PEM of the authorities that a host's certificate is checked by. */
  readonly authoritiesOf: (host: string) => string;
  readonly makeChanges: (onEvent: (event: AgentEvent) => void) => Changes;
  readonly startSecretsPort: (options: SecretsPortOptions) => Promise<SecretsPort>;
}

export interface AgentOptions extends AgentAdapters {
  readonly configuration: AgentConfiguration;
  /** Leases live on when the agent ends, as for a job that comes after it. @default false */
  readonly keepsLeases?: boolean;
  /** @param login the name of the login that it is about. */
  readonly onEvent: (event: AgentTold, login: string | undefined) => void;
}

/** Hands logins out to programs beside it. */
export interface Agent extends AsyncDisposable {
  /** Resolves when every file was written with its first logins, and its command has ended. */
  readonly written: Promise<void>;
  /**
   * Whether every login works now, what listens does, and every file was written. Never throws.
   */
  ready(signal: AbortSignal): Promise<boolean>;
  /** In Prometheus' text format. */
  metrics(): string;
  /**
   * Accept nobody any more, wait for sessions, end them after the configured grace or at `hurry`,
   * and revoke. Never throws.
   */
  close(hurry?: AbortSignal): Promise<void>;
}

/**
 * Serve every login of a configuration, each as soon as there is one: a login that is denied, and a
 * port that is taken, are told and tried again, and stop no other.
 *
 * @throws StateError if the state folder cannot be used; KeeperError for what is no alias's ARN;
 *   FileError for a template that cannot be used.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { configuration, time } = options;
  const { stateFolder, logins } = configuration;
  const state = stateFolder === undefined ? undefined : await takeStateFolder(stateFolder, time);
  try {
    const own = logins.filter((each) => each.kind === "lease" && each.key === undefined);
    const keys = await state?.keysOf(own.map(({ name }) => name));
    const agent = new RunningAgent(options, state, keys ?? new Map());
    try {
      await agent.startFiles();
      return agent;
    } catch (error) {
      await agent.close();
      throw error;
    }
  } catch (error) {
    await state?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** In logs and metrics. */
const SECRETS_PORT = "Secrets Manager's port";

class RunningAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #state: AgentState | undefined;
  readonly #counts: AgentCounts;
  readonly #logins: readonly ServedLogin[];
  readonly #files: FileOutlet[] = [];
  readonly #changes: Changes;
  readonly #secretsPort: KeptOpen<SecretsPort> | undefined;
  readonly #health: KeptOpen<Health> | undefined;
  #closing: Promise<void> | undefined;
  #isWritten = false;

  constructor(
    options: AgentOptions,
    state: AgentState | undefined,
    keys: ReadonlyMap<string, string>,
  ) {
    this.#options = options;
    this.#state = state;
    const { logins, files, secretsManager, health } = options.configuration;
    this.#counts = new AgentCounts(
      logins.map(({ name }) => name),
      files.map(({ path }) => path),
    );
    this.#changes = options.makeChanges((event) => this.#tell(event));
    const inFiles = new Set(files.flatMap(({ from }) => from));
    this.#logins = logins.map(
      (login) =>
        new ServedLogin({
          ...options,
          login,
          key: login.kind === "lease" ? (login.key ?? keys.get(login.name)) : undefined,
          isKept: options.keepsLeases ?? false,
          isHandedOut: login.secretName !== undefined || inFiles.has(login.name),
          clientCache: login.secretName === undefined ? undefined : secretsManager?.clientCache,
          onEvent: (event) => this.#tell(event, login.name),
        }),
    );
    this.#secretsPort =
      secretsManager &&
      this.#keepOpen(SECRETS_PORT, () =>
        this.#openSecretsPort(secretsManager, secretsManager.isPrivate),
      );
    this.#health = health && this.#keepOpen("health", () => this.#openHealth(health));
  }

  /** @throws FileError if a template or a format cannot be used. */
  async startFiles(): Promise<void> {
    const { configuration, startFile, authoritiesOf, time } = this.#options;
    const onEvent = (event: AgentEvent): void => this.#tell(event);
    const changes = this.#changes;
    const started = configuration.files.map(async (file) => {
      const publications = this.#publicationsOf(file);
      this.#files.push(
        await startFile({ file, publications, authoritiesOf, changes, onEvent, time }),
      );
    });
    // what was started must be known before it can be closed
    const [failed] = (await Promise.allSettled(started)).filter(
      ({ status }) => status === "rejected",
    );
    if (failed?.status === "rejected") throw failed.reason;
    void this.written.then(() => {
      this.#isWritten = true;
    });
  }

  get written(): Promise<void> {
    return Promise.all(this.#files.map(({ written }) => written)).then(() => {});
  }

  async ready(signal: AbortSignal): Promise<boolean> {
    if (this.#closing !== undefined || !this.#isWritten) return false;
    if (this.#secretsPort !== undefined && this.#secretsPort.opened === undefined) return false;
    const each = await Promise.all(this.#logins.map((login) => login.isReady(signal)));
    return each.every((isReady) => isReady);
  }

  metrics(): string {
    const ports = new Map<string, { readonly opened: unknown }>();
    for (const { name, proxy } of this.#logins) if (proxy !== undefined) ports.set(name, proxy);
    if (this.#secretsPort !== undefined) ports.set(SECRETS_PORT, this.#secretsPort);
    return metricsText(
      agentMetrics({ logins: this.#logins, files: this.#files, ports, counts: this.#counts }),
    );
  }

  close(hurry?: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(hurry);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(hurry: AbortSignal | undefined): Promise<void> {
    const { grace } = this.#options.configuration;
    await Promise.all([
      this.#secretsPort?.[Symbol.asyncDispose](),
      ...this.#files.map((file) => file[Symbol.asyncDispose]()),
      ...this.#logins.map((login) => login.closeProxy(grace, hurry)),
    ]);
    await this.#changes[Symbol.asyncDispose]();
    await Promise.all(this.#logins.map((login) => this.#closeLogin(login)));
    await this.#health?.[Symbol.asyncDispose]();
    await this.#state?.[Symbol.asyncDispose]();
  }

  /** A lease that may live on keeps its key: the next agent finds it. */
  async #closeLogin(login: ServedLogin): Promise<void> {
    const isOver = await login.close();
    if (!isOver || this.#options.keepsLeases === true) return;
    if (login.isOwn) this.#tell({ kind: "revoked" }, login.name);
    try {
      await this.#state?.forget(login.name);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#tell({ kind: "state-failed", message }, login.name);
    }
  }

  #tell(event: AgentTold, login?: string): void {
    this.#counts.count(event, login);
    this.#options.onEvent(event, login);
  }

  #publicationsOf({ from }: FileConfiguration): readonly Publication[] {
    return [from].flat().flatMap((name) => {
      const login = this.#logins.find((each) => each.name === name);
      return login === undefined ? [] : [login.publication];
    });
  }

  #keepOpen<T extends AsyncDisposable & { readonly port: number }>(
    what: string,
    open: () => Promise<T>,
  ): KeptOpen<T> {
    const { time, random } = this.#options;
    return new KeptOpen({
      open,
      onOpen: ({ port }) => this.#tell({ kind: "port-open", what, at: `127.0.0.1, port ${port}` }),
      onFailed: (message) => this.#tell({ kind: "port-failed", what, message }),
      time,
      random,
    });
  }

  async #openSecretsPort(at: GuardedPort, isPrivate: boolean): Promise<SecretsPort> {
    const { configuration, startSecretsPort, randomBytes, time } = this.#options;
    const secrets = new Map<string, Publication>();
    for (const { name, secretName } of configuration.logins) {
      const login = this.#logins.find((each) => each.name === name);
      if (secretName !== undefined && login !== undefined)
        secrets.set(secretName, login.publication);
    }
    return startSecretsPort({
      port: at.port,
      token: readOrMakeToken(at.tokenFile, randomBytes),
      isPrivate,
      secrets,
      onEvent: (event) => this.#tell(event),
      time,
    });
  }

  /** Node's HTTP server is loaded where somebody wants it. */
  async #openHealth({ port, tokenFile }: GuardedPort): Promise<Health> {
    const { startHealth } = await import("../proxy/health.ts");
    return startHealth({
      port,
      token: readOrMakeToken(tokenFile, this.#options.randomBytes),
      ready: (signal) => this.ready(signal),
      metrics: () => this.metrics(),
    });
  }
}
