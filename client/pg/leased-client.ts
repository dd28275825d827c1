import { EventEmitter } from "node:events";
import { checkServerIdentity, createSecureContext, type SecureContext } from "node:tls";
import pg from "pg";
import type { Keeper, Login } from "../keeper/keeper.ts";
import { makeTrustedRoots } from "../proxy/upstream/trusted-roots.ts";
import { rdsFolder } from "./rds-folder.ts";

/** Options of {@link leasedClient}. */
export interface LeasedClientOptions {
  /**
   * PEM text of the authorities to trust. Those that NODE_EXTRA_CA_CERTS names are trusted too.
   * @default - for hosts of RDS the roots of their Region, for others those of Node
   */
  readonly ca?: string;
}

/** A class like `pg.Client`, for `new pg.Pool({ Client })`. */
export type LeasedClientClass = new (config?: pg.ClientConfig) => pg.Client;

/** The server does not know the login, or lets it not in: it may be over. */
const REFUSED = new Set<unknown>(["28P01", "28000"]);
/** Permission denied: also what a lease gets in the moment between its latch and its end. */
const DENIED = "42501";

/** What the lease says, and a configuration therefore must not. */
const OF_THE_LEASE = ["connectionString", "user", "password", "ssl"] as const;

/** What pg says, too. */
const CONNECTED = "Client has already been connected. You cannot reuse a client.";

type Done = (error: Error | null, client?: pg.Client) => void;

/** What pg.Client has, and its types do not say. */
interface Undeclared {
  _errorAllQueries(error: Error): void;
}

/** What belongs to whoever made a client: its listeners, parsers, and statements that wait. */
const KEPT = new Set<PropertyKey>([
  ...Reflect.ownKeys(new EventEmitter()),
  "_types",
  "_queryQueue",
]);

/**
 * Make a client a new one, which connects to where `config` says. pg.Client knows all that only
 * when it is made.
 */
function renew(client: pg.Client, config: pg.ClientConfig): void {
  const made = new pg.Client(config);
  for (const key of Reflect.ownKeys(made).filter((each) => !KEPT.has(each)))
    Object.defineProperty(client, key, Object.getOwnPropertyDescriptor(made, key) ?? {});
}

/** Leave a connection that failed: what it still says is no longer the client's. */
function abandon(connection: pg.Connection): void {
  connection.removeAllListeners();
  connection.on("error", () => {});
  connection.stream.destroy();
}

/**
 * A `pg.Client` that takes user, password, server and TLS from the newest lease when it connects.
 * If the server refuses the login, it asks the keeper once more and connects again, before the
 * caller hears of it. Statements are never repeated. A connected client stays with its lease: let
 * a pool replace its clients in time, as `poolOptions` says.
 *
 * `host`, `port` and `database` of a client's configuration stand above the lease's, for readers
 * and for other databases of the role. Every other option of `pg` has its own meaning.
 */
export function leasedClient(keeper: Keeper, { ca }: LeasedClientOptions = {}): LeasedClientClass {
  const rootsOf = makeTrustedRoots({ rds: rdsFolder(), ca });
  const contexts = new Map<string, SecureContext>();

  /** Parsing roots takes longer than a handshake, so it is done once for a host. */
  const trusting = (host: string): SecureContext => {
    const known = contexts.get(host);
    if (known !== undefined) return known;
    const roots = rootsOf(host);
    const made = createSecureContext({
      minVersion: "TLSv1.2",
      ...(roots !== undefined && { ca: [...roots] }),
    });
    contexts.set(host, made);
    return made;
  };

  /** The driver leaves out a name that is an address; Node would then check `localhost`. */
  const tls = (host: string): pg.ClientConfig["ssl"] => ({
    secureContext: trusting(host),
    rejectUnauthorized: true,
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });

  const configOf = (config: pg.ClientConfig, login: Login): pg.ClientConfig => {
    const host = config.host ?? login.host;
    return {
      ...config,
      host,
      port: config.port ?? login.port,
      database: config.database ?? login.dbname,
      user: login.username,
      password: () => login.password.reveal(),
      ssl: login.tls === "verify-full" && tls(host),
    };
  };

  return class LeasedClient extends pg.Client {
    readonly #config: pg.ClientConfig;
    #wasConnected = false;
    #waiting: AbortController | undefined;

    /** @throws TypeError if the configuration says what only the lease can say. */
    constructor(config: pg.ClientConfig = {}) {
      const wrong = OF_THE_LEASE.find((key) => config[key] !== undefined);
      if (wrong !== undefined)
        throw new TypeError(
          `a leased client takes user, password and TLS from its lease; leave ${wrong} out of its options`,
        );
      // what connected with this would learn nothing, and get nothing
      super({ ...config, ssl: true });
      this.#config = config;
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: Parameters<pg.Client["connect"]>[0]): void;
    override connect(callback?: unknown): Promise<pg.Client> | undefined {
      if (callback !== undefined) {
        this.#connect(callback as Done);
        return undefined;
      }
      return new Promise((resolve, reject) => {
        this.#connect((error) => (error === null ? resolve(this) : reject(error)));
      });
    }

    override end(): Promise<void>;
    override end(callback: Parameters<pg.Client["end"]>[0]): void;
    override end(callback?: (error: Error) => void): Promise<void> | undefined {
      this.#waiting?.abort(new Error("Connection terminated"));
      if (callback === undefined) return super.end();
      super.end(callback);
      return undefined;
    }

    #connect(callback: Done): void {
      if (this.#wasConnected) {
        // pg itself would connect to anywhere while this client waits for its login
        process.nextTick(callback, new Error(CONNECTED));
        return;
      }
      this.#wasConnected = true;
      const { connectionTimeoutMillis = 0 } = this.#config;
      const timer =
        connectionTimeoutMillis > 0
          ? setTimeout(
              () => this.connection.stream.destroy(new Error("timeout expired")),
              connectionTimeoutMillis,
            )
          : undefined;
      const done: Done = (...answer) => {
        clearTimeout(timer);
        callback(...answer);
      };
      this.#take(
        (signal) => keeper.current(signal),
        done,
        (login) =>
          this.#logIn(login, done, (refusal) =>
            this.#take(
              (signal) => keeper.replace(login, signal),
              done,
              (next) =>
                // the source says that the login is valid: the server has another reason
                next.id === login.id ? this.#fail(refusal, done) : this.#logIn(next, done),
            ),
          ),
      );
    }

    /** Wait for a login, as long as nobody ends the client or its stream, as pools do in time. */
    #take(
      ask: (signal: AbortSignal) => Promise<Login>,
      done: Done,
      next: (login: Login) => void,
    ): void {
      renew(this, { ...this.#config, ssl: true });
      const waiting = new AbortController();
      this.#waiting = waiting;
      this.connection.stream
        .once("error", (reason) => waiting.abort(reason))
        .once("close", () => waiting.abort(new Error("Connection terminated unexpectedly")));
      const over = (): void => {
        this.#waiting = undefined;
        this.connection.stream.removeAllListeners();
      };
      ask(waiting.signal).then(
        (login) => {
          over();
          if (waiting.signal.aborted) this.#fail(waiting.signal.reason, done);
          else next(login);
        },
        (error) => {
          over();
          this.#fail(error, done);
        },
      );
    }

    /** What the pool's callback throws is not ours. */
    #fail(error: Error, done: Done): void {
      (this as unknown as Undeclared)._errorAllQueries(error);
      process.nextTick(done, error);
    }

    #logIn(login: Login, done: Done, onRefusal?: (refusal: Error) => void): void {
      renew(this, configOf(this.#config, login));
      const { connection } = this;
      const unused = keeper.use(login);
      connection.once("end", unused);
      const connected = (error: (Error & { readonly code?: unknown }) | null): void => {
        if (error === null) {
          connection.on("errorMessage", ({ code }: { readonly code?: unknown }) => {
            // the keeper tells what comes of it
            if (code === DENIED) keeper.replace(login).catch(() => {});
          });
          done(null, this);
          return;
        }
        if (onRefusal === undefined || !REFUSED.has(error.code)) {
          done(error);
          return;
        }
        abandon(connection);
        unused();
        onRefusal(error);
      };
      super.connect(connected as (error: Error) => void);
    }
  };
}
