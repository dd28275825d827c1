import { ConfigError } from "../../../core/errors.ts";
import { seconds } from "../../../core/time.ts";
import type { Limits } from "../connection/login.ts";
import { withSession } from "../connection/session.ts";
import { type AdminDeps, asAdmin } from "./admin-login.ts";
import { seedDatabase } from "./converge/seed.ts";

/** The content of the sandbox. */
export interface SeedRequest {
  readonly database: string;
  /** The NOLOGIN role that owns the table. */
  readonly owner: string;
}

const LIMITS: Limits = { connect: seconds(10), statement: seconds(30), lock: seconds(10) };

/** Create the sandbox's owner and table. Safe to repeat. */
export const makeSeed =
  (deps: AdminDeps) =>
  async ({ database, owner }: SeedRequest): Promise<void> => {
    await asAdmin(deps, { tls: "verify-full" }, (admin) =>
      withSession({ ...admin, database }, LIMITS, (session) => seedDatabase(session, owner)),
    );
  };

/** Parse the custom resource's properties. @throws ConfigError if they are not the construct's. */
export function parseSeedRequest(properties: unknown): SeedRequest {
  const { Database, Owner } = (properties ?? {}) as Record<string, unknown>;
  if (typeof Database !== "string" || typeof Owner !== "string" || !Database || !Owner)
    throw new ConfigError(
      "the properties Database and Owner must be set; deploy with the construct that belongs to this function",
    );
  return { database: Database, owner: Owner };
}
