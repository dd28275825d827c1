import { DataSource, EntitySchema } from "typeorm";
import { lifetimeSeconds, run, url, workers } from "./report.mjs";

const Order = new EntitySchema({
  name: "Order",
  tableName: "orders",
  columns: { id: { type: Number, primary: true } },
});
const source = new DataSource({
  type: "postgres",
  url,
  entities: [Order],
  poolSize: workers,
  extra: { maxLifetimeSeconds: lifetimeSeconds },
});
await source.initialize();
await run(async () => {
  await source.getRepository(Order).count();
  const [{ user }] = await source.query('select current_user as "user"');
  return user;
});
await source.destroy();
