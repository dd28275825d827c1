import type { Deployment } from "../leases/deployment.ts";
import type { Telemetry } from "../leases/lease-ports.ts";
import { auditedFacts } from "../reason.ts";
import { between, type Duration, type Instant, seconds, type Time, toSeconds } from "../time.ts";

/** So much of its period may pass before a secret is overdue: a rotation that failed is tried again. */
export const OVERDUE_AFTER_PERIODS = 1.5;

export interface SecretAgesDeps {
  /** As it was deployed. */
  readonly rotatedSecrets: NonNullable<Deployment["rotatedSecrets"]>;
  /** Name to ARN. */
  readonly arns: Readonly<Record<string, string>>;
  /** When a secret was rotated last, or else made. */
  readonly rotatedAt: (arn: string) => Promise<Instant>;
  readonly telemetry: Pick<Telemetry, "measure">;
  readonly time: Pick<Time, "now">;
  /** Told of each secret that could not be asked for. */
  readonly warn: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}

/**
 * Measure how old each rotated secret is, all at once.
 *
 * @returns the names of those that are overdue, sorted. One that could not be asked for is none of
 *   them, and is not measured. Never rejects.
 */
export async function measureSecretAges(deps: SecretAgesDeps): Promise<readonly string[]> {
  const names = Object.entries(deps.rotatedSecrets).map(async ([name, { periodSeconds }]) => {
    const age = await ageOf(deps, name);
    if (age === undefined) return [];
    deps.telemetry.measure("SecretAgeSeconds", toSeconds(age), name);
    return age > OVERDUE_AFTER_PERIODS * seconds(periodSeconds) ? [name] : [];
  });
  return (await Promise.all(names)).flat().toSorted();
}

async function ageOf(
  { arns, rotatedAt, time, warn }: SecretAgesDeps,
  name: string,
): Promise<Duration | undefined> {
  const { [name]: arn = "" } = arns;
  try {
    return between(await rotatedAt(arn), time.now());
  } catch (error) {
    warn("the age of a rotated secret is not known", { secret: name, ...auditedFacts(error) });
    return undefined;
  }
}
