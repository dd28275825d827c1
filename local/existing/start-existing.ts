import { randomBytes } from "node:crypto";
import type { loadConfig } from "../../bin/load-config.ts";
import { type EmbeddedPostgres, startPostgres } from "../postgres/postgres.ts";
import { startStandby } from "../postgres/postgres-standby.ts";
import type { ExistingDatabase, ExistingSecret } from "./existing-database.ts";
import { furnish } from "./furnish.ts";

type ParsedDatabase = Awaited<ReturnType<typeof loadConfig>>["databases"][string];

export interface StartedDatabase extends ExistingDatabase {
  /** Standbys for the readers that the configuration names, in its order. */
  readonly readers: readonly EmbeddedPostgres[];
  stop(): Promise<void>;
}

/** The administrator of a server, unless a secret of the configuration names another. */
const ADMINISTRATOR = "postgres";

const newPassword = (): string => randomBytes(16).toString("hex");

/** Start a server as a configuration describes an existing one. @throws Error as `furnish`. */
export async function startExisting(
  name: string,
  database: ParsedDatabase & { readonly target: NonNullable<ParsedDatabase["target"]> },
  options: {
    readonly schemas: ReadonlyMap<string, readonly string[]>;
    readonly onDeath: (line: string) => void;
  },
): Promise<StartedDatabase> {
  const { target, databases, owner } = database;
  const [dbname = ""] = databases;
  const { onDeath, schemas } = options;
  const masterPassword = newPassword();
  const masterUsername = administratorOf(database);
  const forceTls = target.tls !== "plaintext";
  const running: EmbeddedPostgres[] = [];
  const stop = async (): Promise<void> => {
    for (const each of running.splice(0).reverse()) await each.stop();
  };
  try {
    const server = await startPostgres({
      masterUsername,
      masterPassword,
      database: dbname,
      forceTls,
      onDeath,
    });
    running.push(server);
    const users = usersOf(database);
    await furnish(server, { databases, owner, users, schemas });
    const standby = async (): Promise<EmbeddedPostgres> => {
      const made = await startStandby(server, { onDeath });
      running.push(made);
      return made;
    };
    const readers: EmbeddedPostgres[] = [];
    for (const _ of target.readers ?? []) readers.push(await standby());
    const { cluster, instance } = target;
    const about = { engine: "postgres", host: server.host, port: server.port, dbname };
    const master = { username: masterUsername, password: masterPassword };
    return {
      name,
      server,
      dbname,
      readers,
      instance,
      ...(cluster !== undefined && { cluster: { id: cluster, readers: [await standby()] } }),
      secrets: [
        { id: target.adminSecret, value: { ...about, ...master } },
        ...secretsOf(database, users).map((each) => ({
          ...each,
          value: { ...about, ...each.value },
        })),
      ],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const administratorOf = ({ secrets }: ParsedDatabase): string =>
  Object.values(secrets).find(({ strategy }) => strategy === "master-user")?.usernames[0] ??
  ADMINISTRATOR;

/** Users of existing secrets, and users that Mayfly does not make. */
const usersOf = ({ secrets }: ParsedDatabase): ReadonlyMap<string, string> =>
  new Map(
    Object.values(secrets)
      .filter(({ strategy }) => strategy !== "master-user")
      .filter(
        ({ secretArn, role, ownerGroup }) =>
          secretArn !== undefined || (role === undefined && ownerGroup === undefined),
      )
      .flatMap(({ usernames }) => usernames.map((user) => [user, newPassword()])),
  );

/** The existing secrets, except the administrator's. */
const secretsOf = (
  { secrets, target }: ParsedDatabase,
  users: ReadonlyMap<string, string>,
): readonly ExistingSecret[] =>
  Object.values(secrets).flatMap(({ secretArn: id, usernames: [username = ""], strategy }) =>
    id === undefined || id === target?.adminSecret
      ? []
      : [
          {
            id,
            value: { username, password: users.get(username) },
            ...(strategy === "alternating-users" &&
              target !== undefined && { administrator: target.adminSecret }),
          },
        ],
  );
