import type { Services } from "../services.ts";
import type { RotationAttempt } from "./secret-rotation.ts";

/** The rotations of secrets, to observe them and to move their clock. */
export interface Rotations {
  /** Attempts that ended, oldest first. */
  readonly attempts: readonly RotationAttempt[];
  /** Resolves when no rotation is running. */
  idle(): Promise<void>;
  /** Resolves when no rotation is running or will be attempted again after a failure. */
  finished(): Promise<void>;
  /** Move Secrets Manager's time forward. Each rotation that is due meanwhile ends. */
  advance(milliseconds: number): Promise<void>;
}

/** The rotations of these services. */
export const rotationsOf = ({
  rotation: { activities, attempts },
  clock,
}: Pick<Services, "rotation" | "clock">): Rotations => ({
  attempts,
  idle: () => activities.idle(),
  finished: () => activities.finished(),
  advance: (milliseconds) => activities.advance(clock, milliseconds),
});
