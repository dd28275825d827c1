import type { Services } from "../services.ts";
import type { RotationAttempt } from "./secret-rotation.ts";

/** The rotation of secrets, to watch it and to move its time. */
export interface Rotations {
  /** Those that have ended, oldest first. */
  readonly attempts: readonly RotationAttempt[];
  /** Resolves when no rotation is under way. */
  idle(): Promise<void>;
  /** Resolves when no rotation is under way, or waits to be attempted again after a failure. */
  finished(): Promise<void>;
  /** Let that time pass for Secrets Manager, and each rotation that falls due in it end. */
  advance(milliseconds: number): Promise<void>;
}

/** The view of the rotations of some services. */
export const rotationsOf = ({
  rotation: { activities, attempts },
  clock,
}: Pick<Services, "rotation" | "clock">): Rotations => ({
  attempts,
  idle: () => activities.idle(),
  finished: () => activities.finished(),
  advance: (milliseconds) => activities.advance(clock, milliseconds),
});
