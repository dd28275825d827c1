import type { Duration } from "aws-cdk-lib";
import {
  type ParsedSchedule,
  parseSchedule,
  type Refused,
  scheduleEvery,
} from "../../core/rotation/schedule.ts";

/** When a secret is rotated. It is checked where it is used, with the window. */
export class RotationSchedule {
  readonly #text: string;
  /** What Secrets Manager is told, or why it would not take it. */
  readonly parsed: ParsedSchedule | Refused;

  private constructor(text: string, parsed: ParsedSchedule | Refused) {
    this.#text = text;
    this.parsed = parsed;
  }

  /** At least every four hours; whole hours or whole days. */
  static every(length: Duration): RotationSchedule {
    const hours = length.toHours({ integral: false });
    return new RotationSchedule(length.toHumanString(), scheduleEvery(hours));
  }

  /** An expression of Secrets Manager, e.g. `cron(0 4 1 * ? *)`: in UTC, on the hour, every year. */
  static cron(expression: string): RotationSchedule {
    const text = expression.startsWith("cron(") ? expression : `cron(${expression})`;
    return new RotationSchedule(text, parseSchedule(text));
  }

  /** How errors show it. */
  toHumanString(): string {
    return this.#text;
  }
}
