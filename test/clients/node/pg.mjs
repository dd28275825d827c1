import pg from "pg";
import { lifetimeSeconds, run, url, workers } from "./report.mjs";

const pool = new pg.Pool({
  connectionString: url,
  max: workers,
  maxLifetimeSeconds: lifetimeSeconds,
});
pool.on("error", () => {}); // without it, a connection that ends while idle ends the process
await run(async () => {
  const { rows } = await pool.query("select current_user from orders where id > $1", [0]);
  return rows[0].current_user;
});
await pool.end();
