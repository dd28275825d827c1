export { fromEnvironment } from "./keeper/environment.ts";
export { KeeperError } from "./keeper/errors.ts";
export { issuer } from "./keeper/issuer.ts";
export type { Keeper, KeeperEvents, Login, SourceFailure } from "./keeper/keeper.ts";
export { keepLease, type LeaseKeeperOptions } from "./keeper/lease-keeper.ts";
export type { LeaseSource } from "./keeper/lease-source.ts";
export {
  type LeasedClientClass,
  type LeasedClientOptions,
  leasedClient,
} from "./pg/leased-client.ts";
export { type LeasedPoolOptions, poolOptions } from "./pg/pool-options.ts";
