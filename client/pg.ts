export {
  type LeasedClientClass,
  type LeasedClientOptions,
  leasedClient,
} from "./pg/leased-client.ts";
export { type LeasedPoolOptions, poolOptions } from "./pg/pool-options.ts";
