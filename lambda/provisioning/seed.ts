import { ConfigError } from "../../core/errors.ts";
import type { SecretStore } from "../../core/secret-store.ts";
import { seconds } from "../../core/time.ts";
import type { Limits } from "../postgres/login.ts";
import { seedDatabase } from "../postgres/provisioning/seed.ts";
import { withSession } from "../postgres/provisioning/session.ts";
import { adminLogin, type ServerPlace } from "./admin-login.ts";

/** What the sandbox is to have. */
export interface SeedRequest {
  readonly database: string;
  /** The NOLOGIN role that owns the table. */
  readonly owner: string;
}

/** What seeding needs from outside. */
export interface SeedDeps {
  readonly secrets: Pick<SecretStore, "getSecret">;
  /** Its ARN. */
  readonly adminSecret: string;
  readonly place: ServerPlace;
}

const LIMITS: Limits = { connect: seconds(10), statement: seconds(30), lock: seconds(10) };

/** Make the sandbox's owner and table. Safe to repeat. */
export const makeSeed =
  ({ secrets, adminSecret, place }: SeedDeps) =>
  async ({ database, owner }: SeedRequest): Promise<void> => {
    const admin = await adminLogin(secrets, adminSecret, place, { tls: "verify-full" });
    await withSession({ ...admin, database }, LIMITS, (session) => seedDatabase(session, owner));
  };

/** The custom resource's properties. @throws ConfigError when they are not as the construct makes them. */
export function parseSeedRequest(properties: unknown): SeedRequest {
  const { Database, Owner } = (properties ?? {}) as Record<string, unknown>;
  if (typeof Database !== "string" || typeof Owner !== "string" || !Database || !Owner)
    throw new ConfigError(
      "the properties Database and Owner must be set; deploy with the construct that belongs to this function",
    );
  return { database: Database, owner: Owner };
}
