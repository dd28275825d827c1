import pg from "pg";
import type { TestCluster } from "./cluster.ts";

/** Do something as the superuser, in the database that tests begin with. */
export async function withAdmin<T>(
  { host, port, ca, superuser }: TestCluster,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { username: user, password } = superuser;
  const client = new pg.Client({ host, port, user, password, database: "orders", ssl: { ca } });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
