import { Secret } from "../../core/secret.ts";

/** Where a program connects, and as whom. */
export interface ProxyAddress {
  /** An address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** Any name would do: the proxy logs in with the lease. */
  readonly user: string;
  readonly database: string;
  /** Undefined where the proxy asks for none. */
  readonly password: Secret | undefined;
}

/**
 * Variables of libpq that would lead a client elsewhere, or make it refuse a server without TLS or
 * without a password.
 */
const MISLEADING = [
  "PGHOSTADDR",
  "PGSERVICE",
  "PGSERVICEFILE",
  "PGPASSFILE",
  "PGPASSWORD",
  "PGCHANNELBINDING",
  "PGREQUIREAUTH",
  "PGREQUIRESSL",
  "PGSSLNEGOTIATION",
  "PGREQUIREPEER",
];

type Environment = Readonly<Record<string, string | undefined>>;

/** An environment in which PostgreSQL's clients connect to the proxy. */
export function withConnection(env: Environment, address: ProxyAddress): Environment {
  const { host, port, user, database, password } = address;
  const others = Object.entries(env).filter(([name]) => !MISLEADING.includes(name));
  return {
    ...Object.fromEntries(others),
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    ...(password !== undefined && { PGPASSWORD: password.reveal() }),
    // the proxy is on this machine; it speaks TLS to the server
    PGSSLMODE: "disable",
    PGGSSENCMODE: "disable",
    DATABASE_URL: urlOf(address).reveal(),
  };
}

/** The address as libpq and most drivers take it. It has the password in it. */
export function urlOf({ host, port, user, database, password }: ProxyAddress): Secret {
  const login =
    password === undefined
      ? encodeURIComponent(user)
      : `${encodeURIComponent(user)}:${encodeURIComponent(password.reveal())}`;
  const path = `/${encodeURIComponent(database)}`;
  return new Secret(
    host.startsWith("/")
      ? `postgresql://${login}@${path}?host=${encodeURIComponent(host)}&port=${port}&sslmode=disable`
      : `postgresql://${login}@${host}:${port}${path}?sslmode=disable`,
  );
}
