export {
  type LeasedClientClass,
  type LeasedClientOptions,
  leasedClient,
} from "./pg/leased-client.ts";
