import { type Duration, minutes, seconds } from "../../../core/time.ts";
import { safePoolLifetime } from "./end-phases.ts";

/** What to change in an application so that the proxy ends none of its sessions. */
export const endAdvice = (overlap: Duration): string =>
  `set the pool's maximum lifetime below ${inWords(safePoolLifetime(overlap))}`;

/** A length of time for people, rounded down: `30 minutes`, `8 seconds`. */
export function inWords(length: Duration): string {
  if (length >= minutes(1)) return counted(length / minutes(1), "minute");
  if (length >= seconds(1)) return counted(length / seconds(1), "second");
  return counted(length, "millisecond");
}

function counted(amount: number, unit: string): string {
  const whole = Math.floor(amount);
  return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}
