import { expect, test } from "vitest";
import { DatabaseUnavailableError } from "../../core/errors.ts";
import { measureSecretAges } from "../../core/rotation/secret-ages.ts";
import { type Duration, hours, type Instant, plus, seconds } from "../../core/time.ts";

const NOW = 1_700_000_000_000 as Instant;
const DAY = 86_400;
const before = (length: Duration): Instant => (NOW - length) as Instant;

/** What comes of secrets with these last rotations, each to be rotated every day. */
async function measured(rotations: Readonly<Record<string, Instant | Error>>) {
  const values: unknown[] = [];
  const warnings: unknown[] = [];
  const names = Object.keys(rotations);
  const overdue = await measureSecretAges({
    rotatedSecrets: Object.fromEntries(names.map((name) => [name, { periodSeconds: DAY }])),
    arns: Object.fromEntries(names.map((name) => [name, `arn:${name}`])),
    rotatedAt: async (arn) => {
      const found = rotations[arn.slice(4)];
      if (typeof found === "number") return found;
      throw found;
    },
    telemetry: { measure: (...all) => values.push(all) },
    time: { now: () => NOW },
    warn: (...all) => warnings.push(all),
  });
  return { overdue, values, warnings };
}

test.each([
  ["just rotated", NOW, 0, false],
  ["by a clock that is ahead of ours", plus(NOW, seconds(9)), 0, false],
  ["a period ago", before(hours(24)), DAY, false],
  ["one and a half ago", before(hours(36)), 1.5 * DAY, false],
  ["a second more ago", before(plus(hours(36) as never, seconds(1)) as never), 1.5 * DAY + 1, true],
])(
  "a secret that was rotated %s is measured, and told if it is overdue",
  async (_, at, age, late) => {
    expect(await measured({ reports: at })).toEqual({
      overdue: late ? ["reports"] : [],
      values: [["SecretAgeSeconds", age, "reports"]],
      warnings: [],
    });
  },
);

test("a secret that cannot be described causes a warning, and the others are measured", async () => {
  const { overdue, values, warnings } = await measured({
    writer: before(hours(48)),
    reports: new DatabaseUnavailableError("secret arn:reports could not be described (X)"),
    master: new TypeError("with something secret in it"),
    issuer: before(hours(48)),
  });
  expect(overdue).toEqual(["issuer", "writer"]);
  expect(values).toHaveLength(2);
  const message = "the age of a rotated secret is not known";
  expect(warnings).toEqual([
    [
      message,
      {
        secret: "reports",
        errorType: "DatabaseUnavailableError",
        reason: "secret arn:reports could not be described (X)",
      },
    ],
    [
      message,
      {
        secret: "master",
        errorType: "InternalError",
        reason: expect.stringMatching(/^it failed unexpectedly \(TypeError\)/),
        frames: expect.any(Array),
      },
    ],
  ]);
});

test("secrets are described concurrently", async () => {
  let waiting = 0;
  let release: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    release = resolve;
  });
  const names = ["a", "b", "c"];
  await measureSecretAges({
    rotatedSecrets: Object.fromEntries(names.map((name) => [name, { periodSeconds: DAY }])),
    arns: {},
    rotatedAt: async () => {
      waiting += 1;
      if (waiting === names.length) release();
      await all;
      return NOW;
    },
    telemetry: { measure: () => {} },
    time: { now: () => NOW },
    warn: () => {},
  });
  expect(waiting).toBe(3);
});
