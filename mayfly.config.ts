import { defineConfig } from "mayfly/config";

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
      // for applications that cannot ask: ordinary secrets, whose passwords are rotated
      secrets: {
        reports: { strategy: "single-user", username: "reports", role: "readonly" },
        shop: {
          strategy: "alternating-users",
          usernames: ["shop_a", "shop_b"],
          ownerGroup: "app_owner",
          schedule: "7d",
        },
        admin: { strategy: "master-user", schedule: "cron(0 4 1 * ? *)", window: "2h" },
      },
    },
  },
  consumers: {
    "user-service": {
      sandbox: true,
      roles: ["orders/readonly", "orders/readwrite"],
    },
    reporting: {
      newRole: { assumedBy: "account" },
      roles: ["orders/readonly"],
      secrets: ["orders/reports"],
    },
  },
});
