import { defineConfig } from "mayfly/config";
import shipped from "../mayfly.config.ts";

const { orders } = shipped.databases;
if (orders?.sandbox !== true) throw new Error("mayfly.config.ts: orders is no sandbox any more");

/** The shipped stack, and a role whose leases are replaced within seconds, so that one can watch. */
export default defineConfig({
  ...shipped,
  databases: {
    orders: {
      ...orders,
      roles: { ...orders.roles, brief: { select: ["public.*"], ttl: "12s", maxTtl: "12s" } },
    },
  },
  consumers: {
    ...shipped.consumers,
    "user-service": {
      sandbox: true,
      roles: ["orders/readonly", "orders/readwrite", "orders/brief"],
    },
  },
});
