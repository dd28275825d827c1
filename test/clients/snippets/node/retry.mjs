import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../../node/report.mjs";

const load = (name) => import(pathToFileURL(join(process.env.SNIPPETS, name)));
const { countOrders, pool } = await load("orders.mjs");
const { retried } = await load("retry.mjs");
await run(async () => {
  await retried(countOrders);
  const { rows } = await retried(() => pool.query("select current_user"));
  return rows[0].current_user;
});
await pool.end();
