import { describe, expect, test } from "vitest";
import { type LabelMove, SecretVersions } from "../../local/secrets-manager/secret-versions.ts";

const START = Date.UTC(2031, 0, 1);
const DAY = 86_400_000;

/** `old` is previous, `now` current, `new` pending, `bare` is a version without labels. */
function versions(clock = { now: () => START }): SecretVersions {
  const made = new SecretVersions("arn:secret", clock);
  made.put("bare", "1", []);
  made.put("old", "2", ["AWSCURRENT"]);
  made.put("now", "3", ["AWSCURRENT"]);
  made.put("new", "4", ["AWSPENDING", "CUSTOM"]);
  return made;
}

const START_LABELS = {
  old: ["AWSPREVIOUS"],
  now: ["AWSCURRENT"],
  new: ["AWSPENDING", "CUSTOM"],
};

test("the first version is current, whatever its labels; a current one makes the former previous", () => {
  expect(versions().labels).toEqual(START_LABELS);
  const first = new SecretVersions("arn:secret", { now: () => START });
  first.put("one", "1", ["AWSPENDING"]);
  expect(first.labels).toEqual({ one: ["AWSCURRENT", "AWSPENDING"] });
});

describe("UpdateSecretVersionStage moves a label", () => {
  test.each<[string, LabelMove, Record<string, string[]>]>([
    [
      "AWSCURRENT, and AWSPREVIOUS by itself",
      { label: "AWSCURRENT", to: "new", from: "now" },
      { now: ["AWSPREVIOUS"], new: ["AWSPENDING", "CUSTOM", "AWSCURRENT"] },
    ],
    [
      "AWSCURRENT back to the previous version",
      { label: "AWSCURRENT", to: "old", from: "now" },
      { old: ["AWSCURRENT"], now: ["AWSPREVIOUS"], new: ["AWSPENDING", "CUSTOM"] },
    ],
    [
      "of any name",
      { label: "CUSTOM", to: "old", from: "new" },
      { old: ["AWSPREVIOUS", "CUSTOM"], now: ["AWSCURRENT"], new: ["AWSPENDING"] },
    ],
    [
      "which is on no version",
      { label: "FRESH", to: "bare" },
      { bare: ["FRESH"], ...START_LABELS },
    ],
    ["to where it is", { label: "AWSCURRENT", to: "now" }, START_LABELS],
    [
      "away, which leaves others alone",
      { label: "AWSPENDING", from: "new" },
      { old: ["AWSPREVIOUS"], now: ["AWSCURRENT"], new: ["CUSTOM"] },
    ],
  ])("%s", (_, move, labels) => {
    const made = versions();
    made.relabel(move);
    expect(made.labels).toEqual(labels);
  });
});

describe("UpdateSecretVersionStage refuses, and changes nothing", () => {
  test.each<[LabelMove, string, string]>([
    [
      { label: "AWSCURRENT", to: "new" },
      "InvalidParameterException",
      "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version now, so you must explicitly reference that version in RemoveFromVersionId.",
    ],
    [
      { label: "CUSTOM", to: "old" },
      "InvalidParameterException",
      "Staging label CUSTOM is currently attached to version new,",
    ],
    [
      { label: "AWSCURRENT", to: "new", from: "old" },
      "InvalidParameterException",
      "it must be set to the version that currently has the staging label AWSCURRENT.",
    ],
    [
      { label: "AWSCURRENT", from: "now" },
      "InvalidParameterException",
      "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
    ],
    [
      { label: "AWSPENDING", from: "old" },
      "InvalidParameterException",
      "doesn't have staging label AWSPENDING",
    ],
    [{ label: "AWSPENDING" }, "InvalidParameterException", "MoveToVersionId, RemoveFromVersionId"],
    [
      { label: "AWSCURRENT", to: "nowhere", from: "now" },
      "ResourceNotFoundException",
      "Secrets Manager can't find the specified secret value for VersionId: nowhere",
    ],
    [{ label: "AWSPENDING", from: "nowhere" }, "ResourceNotFoundException", "VersionId: nowhere"],
  ])("%j", (move, name, message) => {
    const made = versions();
    expect(() => made.relabel(move)).toThrow(
      expect.objectContaining({ name, message: expect.stringContaining(message) }),
    );
    expect(made.labels).toEqual(START_LABELS);
  });
});

describe("a rotation's version", () => {
  const begun = (): SecretVersions => {
    const made = versions();
    made.begin("token");
    return made;
  };

  test("has its label before it has a value, and can neither be read nor be current", () => {
    const made = begun();
    expect(made.labels).toMatchObject({ new: ["CUSTOM"], token: ["AWSPENDING"] });
    const unread = expect.objectContaining({
      name: "ResourceNotFoundException",
      message: expect.stringContaining("staging label: AWSPENDING"),
    });
    expect(() => made.get("token", "AWSPENDING")).toThrow(unread);
    expect(() => made.get(undefined, "AWSPENDING")).toThrow(unread);
    expect(() => made.get("token", undefined)).toThrow("for VersionId: token");
    const move = { label: "AWSCURRENT", to: "token", from: "now" };
    expect(() => made.relabel(move)).toThrow("because it has no value");
  });

  test("gets its value once: the same again changes nothing, another is refused", () => {
    const made = begun();
    made.put("token", "5", ["AWSPENDING"]);
    made.put("token", "5", ["AWSPENDING"]);
    expect(made.get("token", "AWSPENDING").value).toBe("5");
    expect(() => made.put("token", "6", ["AWSPENDING"])).toThrow(
      expect.objectContaining({ name: "ResourceExistsException" }),
    );
    expect(made.get("token", "AWSPENDING").value).toBe("5");
  });

  test("may be the first of a secret, and is not current for that", () => {
    const made = new SecretVersions("arn:secret", { now: () => START });
    made.begin("token");
    made.put("token", "1", ["AWSPENDING"]);
    expect(made.labels).toEqual({ token: ["AWSPENDING"] });
    made.relabel({ label: "AWSCURRENT", to: "token" });
    expect(made.labels).toEqual({ token: ["AWSPENDING", "AWSCURRENT"] });
  });

  test("is gone with its label, as long as it has no value", () => {
    const made = begun();
    made.put("other", "5", ["AWSPENDING"]);
    expect(made.find("token")).toBeUndefined();
    made.begin("token");
    made.relabel({ label: "AWSPENDING", from: "token" });
    expect(made.find("token")).toBeUndefined();
    expect(made.find("other")?.stages).toEqual(new Set());
  });
});

test("a version has at most 20 labels", () => {
  const made = versions();
  const labels = Array.from({ length: 20 }, (_, each) => `L${each}`);
  made.put("full", "5", labels);
  const limit = expect.objectContaining({ name: "LimitExceededException" });
  expect(() => made.relabel({ label: "one more", to: "full" })).toThrow(limit);
  expect(() => made.put("fuller", "6", [...labels, "one more"])).toThrow(limit);
  expect(made.find("fuller")).toBeUndefined();
});

test("the oldest unlabelled version makes room for the hundred and first, if it is a day old", () => {
  let now = START;
  const made = versions({ now: () => now });
  for (let each = made.all.length; each < 100; each++) made.put(`v${each}`, "x", []);
  expect(() => made.put("late", "y", [])).toThrow(
    expect.objectContaining({ name: "LimitExceededException" }),
  );
  now += DAY + 1;
  made.put("late", "y", []);
  expect(made.all).toHaveLength(100);
  expect([made.find("bare"), made.find("old")?.value]).toEqual([undefined, "2"]);
});
