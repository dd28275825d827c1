export { KeeperError } from "./keeper/errors.ts";
export type { Keeper, KeeperEvents, Login, SourceFailure } from "./keeper/keeper.ts";
export { keepLease, type LeaseKeeperOptions } from "./keeper/lease-keeper.ts";
export { fromEnvironment } from "./keeper/sources/environment.ts";
export { issuer } from "./keeper/sources/issuer.ts";
export type { LeaseSource } from "./keeper/sources/lease-source.ts";
export {
  type LeasedClientClass,
  type LeasedClientOptions,
  leasedClient,
} from "./pg/leased-client.ts";
export { type LeasedPoolOptions, poolOptions } from "./pg/pool-options.ts";
