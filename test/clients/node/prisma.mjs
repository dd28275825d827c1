import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "@prisma/client";
import { lifetimeSeconds, run, url, workers } from "./report.mjs";

const adapter = new PrismaPg({
  connectionString: url,
  max: workers,
  maxLifetimeSeconds: lifetimeSeconds,
});
const prisma = new PrismaClient({ adapter });
await run(async () => {
  await prisma.order.count();
  const [{ user }] = await prisma.$queryRaw`select current_user::text as "user"`;
  return user;
});
await prisma.$disconnect();
