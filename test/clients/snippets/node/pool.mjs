import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../../node/report.mjs";

const { countOrders, pool } = await import(pathToFileURL(join(process.env.SNIPPETS, "orders.mjs")));
await run(async () => {
  await countOrders();
  const { rows } = await pool.query("select current_user");
  return rows[0].current_user;
});
await pool.end();
