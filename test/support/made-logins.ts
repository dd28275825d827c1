import { randomBytes } from "node:crypto";
import pg from "pg";
import type { Login } from "../../client/keeper/keeper.ts";
import { Secret } from "../../core/secret.ts";
import type { TestCluster } from "./cluster.ts";

/** Users of one group, made and ended as leases are, without an issuer. */
export interface MadeLogins extends AsyncDisposable {
  /** May read and write `public.things (id, label)` in the database `orders`. */
  readonly group: string;
  make(): Promise<Login>;
  /** As a revocation does: no login, no membership, no session. */
  revoke(login: Login): Promise<void>;
  /** The numbers of sessions that users of the group have, by user. */
  sessions(): Promise<Readonly<Record<string, number>>>;
  query(text: string): Promise<void>;
}

/** A group of a test's own on a server, and its superuser's connection. */
export async function madeLogins(cluster: TestCluster): Promise<MadeLogins> {
  const { host, port, ca, superuser } = cluster;
  const admin = new pg.Client({
    host,
    port,
    database: "orders",
    user: superuser.username,
    password: superuser.password,
    ssl: { ca },
  });
  admin.on("error", () => {});
  await admin.connect();
  const group = `made_${randomBytes(4).toString("hex")}`;
  await admin.query(`
    create table if not exists public.things (id serial primary key, label text not null);
    create role ${group};
    grant select, insert, update, delete on public.things to ${group};
    grant usage on public.things_id_seq to ${group}`);
  let made = 0;
  return {
    group,
    make: async () => {
      made += 1;
      const username = `${group}_${made}`;
      const password = randomBytes(12).toString("hex");
      await admin.query(`create role ${username} login password '${password}' in role ${group}`);
      return {
        id: `orders/made/${username}`,
        username,
        password: new Secret(password),
        host,
        port,
        dbname: "orders",
        tls: "verify-full",
      };
    },
    revoke: async ({ username }) => {
      await admin.query(`alter role ${username} nologin; revoke ${group} from ${username}`);
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`,
        [username],
      );
    },
    sessions: async () => {
      const { rows } = await admin.query<{ name: string; count: number }>(
        `select usename as name, count(*)::int as count from pg_stat_activity
         where usename ~ '^${group}' group by usename`,
      );
      return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
    },
    query: async (text) => {
      await admin.query(text);
    },
    [Symbol.asyncDispose]: () => admin.end(),
  };
}
