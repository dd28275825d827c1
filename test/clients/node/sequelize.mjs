import { Sequelize } from "sequelize";
import { lifetimeSeconds, run, url, workers } from "./report.mjs";

/** A pool of Sequelize has no lifetime, but counts how often it lends a connection. */
const maxUses = lifetimeSeconds > 0 ? 50 : Number.POSITIVE_INFINITY;
const sequelize = new Sequelize(url, { logging: false, pool: { max: workers, maxUses } });
const Order = sequelize.define("Order", {}, { tableName: "orders", timestamps: false });
await run(async () => {
  await Order.count();
  const [[{ user }]] = await sequelize.query('select current_user as "user"');
  return user;
});
await sequelize.close();
