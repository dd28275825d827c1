import { Duration } from "aws-cdk-lib";
import type { ParsedSecret } from "../../config/config.ts";
import type { RotationTimes } from "../../core/rotation/schedule.ts";
import type { AddRotatedSecretProps, RotationTimesProps } from "./rotated-secret-props.ts";
import { RotationSchedule } from "./rotation-schedule.ts";

/** What a configuration says of times, as constructs take it. */
export const timesOf = ({
  expression,
  periodSeconds,
  window,
}: RotationTimes): RotationTimesProps => ({
  schedule: expression.startsWith("cron(")
    ? RotationSchedule.cron(expression)
    : RotationSchedule.every(Duration.seconds(periodSeconds)),
  ...(window !== undefined && { window: Duration.hours(Number.parseInt(window, 10)) }),
});

/** What a configuration says of a secret, as constructs take it; its key and the secret itself apart. */
export function secretOptionsOf(secret: ParsedSecret): AddRotatedSecretProps {
  const { strategy, usernames, role, ownerGroup, password, testQueries, replicaRegions } = secret;
  const [username] = usernames;
  return {
    strategy,
    ...(strategy === "alternating-users"
      ? { usernames: [...usernames] }
      : username !== undefined && { username }),
    ...(role !== undefined && { role }),
    ...(ownerGroup !== undefined && { ownerGroup }),
    ...timesOf(secret.times),
    passwordLength: password.length,
    excludeCharacters: password.excludeCharacters,
    ...(testQueries.length > 0 && { testQueries: [...testQueries] }),
    ...(replicaRegions.length > 0 && {
      replicaRegions: replicaRegions.map((region) => ({ region })),
    }),
  };
}
