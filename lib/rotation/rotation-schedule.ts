import type { Duration } from "aws-cdk-lib";

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
] as const;

/** When a secret is rotated. It is checked where it is used, with the window. */
export class RotationSchedule {
  /** In the configuration's words: `30d`, or `cron(…)`. */
  readonly text: string;

  private constructor(text: string) {
    this.text = text;
  }

  /** At least every four hours; whole hours or whole days. */
  static every(length: Duration): RotationSchedule {
    const seconds = length.toSeconds();
    const [unit, size] = UNITS.find(([, each]) => seconds % each === 0) ?? ["s", 1];
    return new RotationSchedule(`${seconds / size}${unit}`);
  }

  /** An expression of Secrets Manager, e.g. `cron(0 4 1 * ? *)`: in UTC, on the hour, every year. */
  static cron(expression: string): RotationSchedule {
    return new RotationSchedule(
      expression.startsWith("cron(") ? expression : `cron(${expression})`,
    );
  }
}
