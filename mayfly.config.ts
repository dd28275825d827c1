import { defineConfig } from "./core/config/config.ts";

/** A sandbox: a VPC, a small PostgreSQL with a table to look at, and a service that reads it. */
export default defineConfig({
  databases: {
    orders: {
      sandbox: true,
      databases: ["orders"],
      owner: "app_owner",
      roles: {
        readonly: { select: ["public.*"], ttl: "1h", maxTtl: "24h" },
        readwrite: {
          select: ["public.*"],
          insert: ["public.*"],
          update: ["public.*"],
          usage: ["public.*"],
          ttl: "15m",
          maxTtl: "8h",
          maxLeases: 50,
        },
      },
    },
  },
  consumers: {
    "user-service": {
      sandbox: true,
      roles: ["orders/readonly", "orders/readwrite"],
    },
    reporting: { newRole: { assumedBy: "account" }, roles: ["orders/readonly"] },
  },
});
