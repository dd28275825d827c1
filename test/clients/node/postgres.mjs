import postgres from "postgres";
import { lifetimeSeconds, run, url, workers } from "./report.mjs";

const sql = postgres(url, { max: workers, max_lifetime: lifetimeSeconds || null });
await run(async () => {
  const [row] = await sql`select current_user from orders where id > ${0}`;
  return row.current_user;
});
await sql.end();
