import type { Deployment } from "../leases/deployment.ts";
import type { Telemetry } from "../leases/lease-ports.ts";
import { auditedFacts } from "../reason.ts";
import { between, type Duration, type Instant, seconds, type Time, toSeconds } from "../time.ts";

/** A secret is overdue after this multiple of its period: a failed rotation is retried. */
export const OVERDUE_AFTER_PERIODS = 1.5;

export interface SecretAgesDeps {
  /** How often each secret is rotated, by name. */
  readonly rotatedSecrets: NonNullable<Deployment["rotatedSecrets"]>;
  /** The ARNs, by name. */
  readonly arns: Readonly<Record<string, string>>;
  /** When a secret was last rotated; if never, when it was created. */
  readonly rotatedAt: (arn: string) => Promise<Instant>;
  readonly telemetry: Pick<Telemetry, "measure">;
  readonly time: Pick<Time, "now">;
  /** Called for each secret whose age could not be read. */
  readonly warn: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}

/**
 * Measure how old each rotated secret is, all at once.
 *
 * @returns the names of overdue secrets, sorted. A secret whose age could not be read is not among
 *   them and is not measured. Never rejects.
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
