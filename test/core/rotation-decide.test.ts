import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decideSetSecret,
  type Heard,
  type Label,
  type NextAction,
} from "../../core/rotation/decide-set-secret.ts";
import type { RotationStrategy } from "../../core/rotation/settings.ts";

const STRATEGIES = ["single-user", "alternating-users", "master-user", "issuer-login"] as const;

/** `?` was not asked yet, `+` was let in, `-` was refused; `*` is any of the three. */
type Row = readonly [pending: string, current: string, previous: string, next: string];

const TABLE: Readonly<Record<RotationStrategy, readonly Row[]>> = {
  "single-user": [
    ["?", "*", "*", "log in as pending"],
    ["+", "*", "*", "done"],
    ["-", "?", "*", "log in as current"],
    ["-", "+", "*", "set own password"],
    ["-", "-", "?", "log in as previous"],
    ["-", "-", "+", "set own password"],
    ["-", "-", "-", "give up"],
  ],
  "issuer-login": [
    ["?", "*", "*", "log in as pending"],
    ["+", "*", "*", "done"],
    ["-", "*", "?", "log in as previous"],
    ["-", "*", "+", "set own password"],
    ["-", "*", "-", "give up"],
  ],
  "alternating-users": [
    ["?", "*", "*", "log in as pending"],
    ["+", "*", "*", "done"],
    ["-", "?", "*", "log in as current"],
    ["-", "+", "*", "converge next user"],
    ["-", "-", "*", "give up"],
  ],
  "master-user": [
    ["?", "*", "*", "log in as pending"],
    ["+", "*", "*", "done"],
    ["-", "*", "*", "ask RDS"],
  ],
};

const ANSWERS: Readonly<Record<string, Heard[Label]>> = {
  "?": undefined,
  "+": "accepted",
  "-": { refused: "28P01" },
};

const heardBy = ([pending = "", current = "", previous = ""]: readonly string[]): Heard => ({
  pending: ANSWERS[pending],
  current: ANSWERS[current],
  previous: ANSWERS[previous],
});

const inWords = (next: NextAction): string =>
  next.kind === "log in" ? `log in as ${next.as}` : next.kind;

const marks = Object.keys(ANSWERS);
const states = marks.flatMap((p) => marks.flatMap((c) => marks.map((q) => [p, c, q] as const)));

describe.each(STRATEGIES)("setSecret by %s", (strategy) => {
  test.each(states)("having heard pending %s, current %s, previous %s", (...state) => {
    const rows = TABLE[strategy].filter((row) =>
      state.every((mark, i) => row[i] === mark || row[i] === "*"),
    );
    expect(rows).toHaveLength(1);
    expect(inWords(decideSetSecret(strategy, heardBy(state)))).toBe(rows[0]?.[3]);
  });
});

/** Play it to its end, on a server that answers so. */
function played(
  strategy: RotationStrategy,
  answers: Readonly<Record<Label, boolean>>,
  heard: Heard,
): { readonly logins: readonly Label[]; readonly end: string; readonly heard: Heard } {
  const logins: Label[] = [];
  const all = { ...heard };
  for (;;) {
    const next = decideSetSecret(strategy, all);
    if (next.kind !== "log in") return { logins, end: next.kind, heard: all };
    logins.push(next.as);
    expect(logins.length).toBeLessThanOrEqual(3);
    all[next.as] = answers[next.as] ? "accepted" : { refused: "28P01" };
  }
}

describe("setSecret on any server, by any strategy,", () => {
  const strategy = fc.constantFrom(...STRATEGIES);
  const server = fc.record({
    pending: fc.boolean(),
    current: fc.boolean(),
    previous: fc.boolean(),
  });
  // a version that is not there is refused from the start
  const before = fc.constantFrom<Heard>({}, { previous: { refused: "none" } });
  const everywhere = (rule: (ends: ReturnType<typeof played>, by: RotationStrategy) => void) =>
    fc.assert(
      fc.property(strategy, server, before, (by, answers, heard) => {
        rule(played(by, answers, heard), by);
      }),
    );

  test("ends after three logins at most, and asks nobody twice", () => {
    everywhere(({ logins }) => {
      expect(new Set(logins).size).toBe(logins.length);
    });
  });

  test("asks the pending login first, and is done just when that is let in", () => {
    everywhere(({ logins, end, heard }) => {
      expect(logins[0]).toBe("pending");
      expect(end === "done").toBe(heard.pending === "accepted");
      expect(end === "done" ? logins : ["pending"]).toEqual(["pending"]);
    });
  });

  test("sets an own password in the session that was let in last, never in the pending one", () => {
    everywhere(({ logins, end, heard }) => {
      fc.pre(end === "set own password");
      const last = logins.at(-1) ?? "pending";
      expect([heard.pending, heard[last]]).toEqual([{ refused: "28P01" }, "accepted"]);
    });
  });

  test("has others change a user only after the current one was let in", () => {
    everywhere(({ end, heard }) => {
      fc.pre(end === "converge next user");
      expect([heard.pending, heard.current]).toEqual([{ refused: "28P01" }, "accepted"]);
    });
  });

  test("gives up only when nobody who was asked was let in; RDS is never given up", () => {
    everywhere(({ end, heard }, by) => {
      fc.pre(end === "give up");
      expect(by).not.toBe("master-user");
      expect(Object.values(heard)).not.toContain("accepted");
    });
  });
});
