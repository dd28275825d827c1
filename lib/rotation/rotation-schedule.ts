import type { Duration } from "aws-cdk-lib";
import {
  type ParsedSchedule,
  parseSchedule,
  type Refused,
  scheduleEvery,
} from "../../core/rotation/schedule.ts";

/** When a secret is rotated. The construct that gets it checks it, together with the window. */
export class RotationSchedule {
  readonly #text: string;
  /** The expression for Secrets Manager, or why Secrets Manager refuses it. */
  readonly parsed: ParsedSchedule | Refused;

  private constructor(text: string, parsed: ParsedSchedule | Refused) {
    this.#text = text;
    this.parsed = parsed;
  }

  /** Rotate at a rate: whole hours or whole days, 4 hours to 999 days. */
  static every(length: Duration): RotationSchedule {
    const hours = length.toHours({ integral: false });
    return new RotationSchedule(length.toHumanString(), scheduleEvery(hours));
  }

  /**
   * Rotate at fixed times.
   *
   * @param expression of Secrets Manager, e.g. `cron(0 4 1 * ? *)`: in UTC, on the hour, every
   *   year,
   *   with at least four hours between two rotations.
   */
  static cron(expression: string): RotationSchedule {
    const text = expression.startsWith("cron(") ? expression : `cron(${expression})`;
    return new RotationSchedule(text, parseSchedule(text));
  }

  /** The text that errors show. */
  toHumanString(): string {
    return this.#text;
  }
}
