import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { Sequelize } from "sequelize";
import { authorities, run, workers } from "./report.mjs";

const secrets = new SecretsManagerClient();

/** A pool of Sequelize has no lifetime, but counts how often it lends a connection. */
const pool = { max: workers, maxUses: 50 };
/** When all is revoked, it takes the agent up to a second to see it. */
const refused = [/password authentication failed/, /not permitted to log in/];
const retry = { match: refused, max: 10, backoffBase: 250 };
const dialectOptions = { ssl: { ca: authorities } };
const settings = { logging: false, dialectOptions, pool, retry };
const sequelize = new Sequelize({ dialect: "postgres", ...settings });
sequelize.beforeConnect(async (connection) => {
  const command = new GetSecretValueCommand({ SecretId: process.env.SECRET_ID });
  const { SecretString } = await secrets.send(command);
  const { username, password, host, port, dbname } = JSON.parse(SecretString);
  Object.assign(connection, { username, password, host, port, database: dbname });
});
const Order = sequelize.define("Order", {}, { tableName: "orders", timestamps: false });
await run(async () => {
  await Order.count();
  const [[{ user }]] = await sequelize.query('select current_user as "user"');
  return user;
});
await sequelize.close();
