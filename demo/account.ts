import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { STSClient } from "@aws-sdk/client-sts";
import type { DemoTarget } from "./target.ts";

const BUNDLE = join(import.meta.dirname, "..", "dist", "issuer");

/** Scheduler's documented precision. Unit: milliseconds. */
const AWS_PRECISION = 60_000;

/** Remedy: the person at the keyboard sets up the shell. */
export class UsageError extends Error {}

/**
 * A stack of the account and Region that the environment names.
 *
 * @throws UsageError when it names none, and Error when there are no roots for its databases.
 */
export async function findAccount(stackName: string): Promise<DemoTarget> {
  const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  if (!region) throw new UsageError("no Region: set AWS_REGION");
  if (!existsSync(BUNDLE)) throw new Error(`${BUNDLE} does not exist; npm run build first`);
  const roots = join(BUNDLE, "rds-ca", `${region}.pem`);
  if (!existsSync(roots))
    throw new Error(`Region ${region} has no RDS roots: there is no ${roots}`);
  await assertCredentials(region);
  const ca = readFileSync(roots, "utf8");
  return { clients: { region }, stackName, ca, precision: AWS_PRECISION };
}

async function assertCredentials(region: string): Promise<void> {
  try {
    await new STSClient({ region }).config.credentials();
  } catch (error) {
    const { name, message } = error as Error;
    if (name !== "CredentialsProviderError") throw error;
    throw new UsageError(`${message}; set AWS_PROFILE or keys`, { cause: error });
  }
}
