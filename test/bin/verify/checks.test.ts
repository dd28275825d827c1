import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Account } from "../../../bin/verify/account.ts";
import { CHECKS } from "../../../bin/verify/checks/checks.ts";
import { Cleanup } from "../../../bin/verify/cleanup.ts";
import { NotMade } from "../../../bin/verify/outcome.ts";
import type { StackUnderTest } from "../../../bin/verify/stack-under-test.ts";
import { verifyStack } from "../../../bin/verify/verify-stack.ts";
import {
  accessDenied,
  type Change,
  FAKE_STACK,
  fakeAccount,
  HOST,
  jumpingTime,
  PASSWORD,
} from "../../support/fake-account.ts";

const root = join(import.meta.dirname, "..", "..", "..");

interface Setting {
  readonly change?: Change;
  readonly stack?: StackUnderTest;
  readonly trailLogGroup?: string | undefined;
}

async function verify({ change, stack = FAKE_STACK, trailLogGroup = "trail" }: Setting = {}) {
  const time = jumpingTime();
  const account = fakeAccount(time, change);
  const cleanup = new Cleanup();
  let keys = 0;
  const { results, mask } = await verifyStack({
    checks: CHECKS,
    account,
    time,
    stack,
    cleanup,
    trailLogGroup,
    newKey: () => `key ${keys++}`,
    signal: new AbortController().signal,
    onResult: () => {},
  });
  return {
    results,
    mask,
    account,
    cleanup,
    byId: new Map(results.map((each) => [each.check.id, each])),
  };
}

/** Answers of functions, changed by whom they are asked of. */
const answering =
  (
    answer: (arn: string, event: object) => Awaited<ReturnType<Account["invoke"]>> | undefined,
  ): Change =>
  (right) => ({
    invoke: async (as, arn, event) => answer(arn, event) ?? right.invoke(as, arn, event),
  });

const failing = (arn: string): Change =>
  answering((functionArn) =>
    functionArn === arn
      ? { errorType: "DatabaseUnavailableError", payload: { errorMessage: "no route" } }
      : undefined,
  );

const unscheduled: Change = (right) => ({
  invoke: async (as, arn, event) => {
    const answer = await right.invoke(as, arn, event);
    return "ttlSeconds" in event
      ? { ...answer, payload: { ...answer.payload, revocationScheduled: false } }
      : answer;
  },
  logLines: async (group, words, since) =>
    words.some((word) => word.includes("schedule"))
      ? [JSON.stringify({ reason: "AccessDenied: iam:PassRole" })]
      : right.logLines(group, words, since),
});

const revokedBy =
  (actor: string, lagSeconds: number): Change =>
  (right) => ({
    logLines: async (group, words, since) =>
      words.includes("lease.revoked")
        ? [JSON.stringify({ actor, receipt: { state: "revoked", lagSeconds } })]
        : right.logLines(group, words, since),
  });

const withoutLines =
  (word: string): Change =>
  (right) => ({
    logLines: async (group, words, since) =>
      words.includes(word) ? [] : right.logLines(group, words, since),
  });

const resourceStatus =
  (type: string, status: string): Change =>
  (right) => ({
    stackState: async (name) => {
      const { resources, ...state } = await right.stackState(name);
      return {
        ...state,
        resources: resources.map((each) => (each.type === type ? { ...each, status } : each)),
      };
    },
  });

const neverRotates: Change = (right) => ({
  rotateSecret: async () => {},
  secretState: (arn) => right.secretState(arn),
});

/** For each check a change of the account, after which the check must differ. */
const DIFFERENT: readonly (readonly [string, Change, RegExp])[] = [
  ["stack-deploys", resourceStatus("AWS::EC2::VPCEndpoint", "CREATE_FAILED"), /is CREATE_FAILED/],
  [
    "pg-signal-backend",
    resourceStatus("Custom::MayflyProvision", "CREATE_FAILED"),
    /Provisioned is CREATE_FAILED/,
  ],
  [
    "alias-in-arn",
    answering((arn) => (arn === FAKE_STACK.issuerArn ? { payload: { state: "live" } } : undefined)),
    /a call without an alias was answered as a consumer's: \{"state":"live"\}/,
  ],
  ["alias-policy", () => ({ aliasPolicies: async () => ({}) }), /shows no such Deny/],
  [
    "alias-denies-others",
    (right) => ({
      invoke: (as, arn, event) =>
        right.invoke(arn === FAKE_STACK.aliasArn ? "consumer" : as, arn, event),
    }),
    /the alias accepted keys that are not the consumer's/,
  ],
  [
    "lambda-session",
    failing(FAKE_STACK.consumerFunction ?? ""),
    /failed with DatabaseUnavailableError: no route/,
  ],
  [
    "endpoints",
    resourceStatus("AWS::EC2::VPCEndpoint", "CREATE_FAILED"),
    /SchedulerEndpoint is CREATE_FAILED/,
  ],
  ["lambda-endpoint", failing(FAKE_STACK.consumerFunction ?? ""), /a function in the VPC failed/],
  ["schedule-role", unscheduled, /without its schedule: AccessDenied: iam:PassRole/],
  ["shortest-lease", unscheduled, /without its schedule: AccessDenied/],
  ["schedule-past", () => ({ createSchedule: async () => {} }), /was accepted/],
  ["revocation-lag", revokedBy("schedule", 90.2), /^90\.2 s from expiry to DROP/],
  ["queue-policy", revokedBy("sweeper", 240), /ended by sweeper, not by its schedule/],
  [
    "schedule-deleted",
    () => ({ schedulesNamed: async (prefix) => [{ group: "g", name: `${prefix}-1` }] }),
    /still there two minutes later/,
  ],
  ["sweep-runs", withoutLines("sweep.finished"), /no sweep has finished/],
  [
    "admin-rows",
    (right) => ({
      query: async (credential, sql) =>
        sql.includes("rds_superuser") ? [{ role: "pg_monitor" }] : right.query(credential, sql),
    }),
    /may pass on pg_monitor$/,
  ],
  [
    "password-commands",
    (right) => ({
      query: async (credential, sql) =>
        sql.includes("restrict_password") ? [{ setting: "on" }] : right.query(credential, sql),
    }),
    /^the setting is on, /,
  ],
  [
    "rotations-run",
    () => ({
      secretState: async () => ({
        rotatorArn: "r",
        labels: new Map([
          ["a", ["AWSCURRENT"]],
          ["b", ["AWSPENDING"]],
        ]),
      }),
    }),
    /not rotated, or pending: Reports/,
  ],
  [
    "rotation-source-arn",
    () => ({
      rotateSecret: async () => {
        throw accessDenied("Secrets Manager cannot invoke the function");
      },
    }),
    /was refused: Secrets Manager cannot invoke/,
  ],
  ["master-password", neverRotates, /did not end in ten minutes/],
  ["request-id", withoutLines("lease.issued"), /no line lease\.issued/],
  [
    "cloudtrail-join",
    (right) => ({
      logLines: async (group, words, since) =>
        group === "trail"
          ? [JSON.stringify({ eventName: "Invoke", eventID: words[0] })]
          : right.logLines(group, words, since),
    }),
    /not as its requestID/,
  ],
  [
    "saved-queries",
    (right) => ({
      runSavedQueries: async (...args) =>
        (await right.runSavedQueries(...args)).map((each) => ({ ...each, status: "Failed" })),
    }),
    /"who had a user": Failed/,
  ],
  [
    "cold-start",
    (right) => ({
      logLines: async (group, words, since) =>
        (await right.logLines(group, words, since)).map((line) =>
          line.replace("402.11", "1402.11"),
        ),
    }),
    /^1402\.11 ms to start and 310\.50 ms/,
  ],
  [
    "converge",
    answering((arn) =>
      arn === FAKE_STACK.operatorArn
        ? { errorType: "Sandbox.Timedout", payload: { errorMessage: "300 s" } }
        : undefined,
    ),
    /converge failed with Sandbox\.Timedout/,
  ],
  [
    "update-keeps-policy",
    (right) => {
      let calls = 0;
      return {
        invoke: (as, arn, event) => {
          const isAlias = as === "caller" && arn === FAKE_STACK.aliasArn;
          // the first is before the update
          return right.invoke(isAlias && calls++ > 0 ? "consumer" : as, arn, event);
        },
      };
    },
    /^after an update, /,
  ],
];

const made = CHECKS.filter(({ does }) => does !== "nothing").map(({ id }) => id);

describe("in an account where everything is as documented", () => {
  test("every check finds what the documents say, or says why it was skipped", async () => {
    const { results } = await verify();
    const said = (verdict: string) =>
      results.filter((each) => each.verdict === verdict).map(({ check }) => check.id);
    expect(said("differs")).toEqual([]);
    // off by default: it can be seen, but not tried
    expect(said("as documented")).toEqual(made.filter((id) => id !== "password-commands"));
    expect(results.filter(({ saw }) => saw === "")).toEqual([]);
  });

  test("after the checks only the leases remain to be removed", async () => {
    const { account, cleanup } = await verify();
    expect(cleanup.pending.map(({ what }) => what.replace(/\/mf_.*/, ""))).toEqual([
      "lease orders/readonly",
      "lease orders/readonly",
    ]);
    expect(await cleanup.run(account, () => {})).toEqual([]);
    expect(account.done).toEqual([
      "allow only",
      "rotate reports-AbCdEf",
      "allow again",
      "rotate admin-AbCdEf",
      expect.stringMatching(/^revoke k/),
      expect.stringMatching(/^revoke k/),
    ]);
  });
});

describe("one thing is not as documented", () => {
  test("every check that runs has a case in which it differs", () => {
    expect(DIFFERENT.map(([id]) => id)).toEqual(made);
  });

  test.each(DIFFERENT)("%s", async (id, change, words) => {
    const { byId } = await verify({ change });
    expect(byId.get(id)).toMatchObject({ verdict: "differs", saw: expect.stringMatching(words) });
  });
});

describe("a check that cannot run is skipped, and says why", () => {
  const { deployed, ...given } = FAKE_STACK;
  const withoutFunction: StackUnderTest = { ...given, deployed };
  Reflect.deleteProperty(withoutFunction, "consumerFunction");
  const elsewhere: Change = () => ({ isAws: false });
  const nobodyThere: Change = () => ({
    query: async () => {
      throw new NotMade("the database does not answer from here");
    },
  });
  const unsealed = answering((arn) =>
    arn === FAKE_STACK.operatorArn ? { payload: { leases: [], aliasUnsealed: true } } : undefined,
  );
  test.each<[string, Setting, RegExp]>([
    ["alias-policy", { change: unsealed }, /aliasUnsealed is configured/],
    ["alias-denies-others", { change: unsealed }, /aliasUnsealed is configured/],
    ["rotation-source-arn", { stack: given }, /it runs only without --stack/],
    ["master-password", { stack: given }, /--stack/],
    ["converge", { stack: given }, /--stack/],
    ["update-keeps-policy", { stack: given }, /--stack/],
    ["saved-queries", { change: elsewhere }, /only CloudWatch Logs/],
    ["cold-start", { change: elsewhere }, /only Lambda itself/],
    ["endpoints", { change: elsewhere }, /only a VPC/],
    ["lambda-endpoint", { change: elsewhere }, /only a VPC/],
    ["cold-start", { change: withoutLines("Init Duration") }, /no instance of the issuer started/],
    ["admin-rows", { change: nobodyThere }, /does not answer from here/],
    ["password-commands", {}, /is off here/],
    ["revocation-lag", { change: withoutLines("lease.revoked") }, /no line lease\.revoked/],
    ["lambda-session", { stack: withoutFunction }, /no function for the consumer verify/],
    [
      "schedule-past",
      {
        change: () => ({
          createSchedule: async () => {
            throw accessDenied("no iam:PassRole");
          },
        }),
      },
      /could not be made: AccessDeniedException: no iam:PassRole/,
    ],
    [
      "alias-denies-others",
      {
        change: (right) => ({
          invoke: async (as, arn, event) => {
            if (as === "caller" && arn === FAKE_STACK.issuerArn) throw accessDenied();
            return right.invoke(as, arn, event);
          },
        }),
      },
      /your own keys may not invoke the issuer at all/,
    ],
  ])("%s", async (id, setting, words) => {
    const { byId } = await verify(setting);
    expect(byId.get(id)).toMatchObject({ verdict: "skipped", saw: expect.stringMatching(words) });
  });

  test("without --trail-log-group the CloudTrail check is skipped", async () => {
    const time = jumpingTime();
    const check = CHECKS.find(({ id }) => id === "cloudtrail-join");
    const { results } = await verifyStack({
      checks: check === undefined ? [] : [check],
      account: fakeAccount(time),
      time,
      stack: FAKE_STACK,
      cleanup: new Cleanup(),
      newKey: () => "key",
      signal: new AbortController().signal,
      onResult: () => {},
    });
    expect(results).toMatchObject([{ verdict: "skipped", saw: /--trail-log-group/ }]);
  });

  test("if no lease is issued, only the alias check differs, and the others are skipped", async () => {
    const change = answering((arn) =>
      arn === FAKE_STACK.aliasArn
        ? { errorType: "NotAllowedError", payload: { errorMessage: '"no alias" of function x' } }
        : undefined,
    );
    const { results } = await verify({ change });
    const bad = results.filter(({ verdict }) => verdict === "differs");
    expect(bad.map(({ check }) => check.id)).toEqual(["alias-in-arn"]);
    expect(bad[0]?.saw).toMatch(/was answered NotAllowedError: "no alias" of function x/);
    expect(results.find(({ check }) => check.id === "request-id")).toMatchObject({
      verdict: "skipped",
      saw: expect.stringContaining("no lease was issued: NotAllowedError"),
    });
  });

  test("an unexpected error counts as a difference", async () => {
    const { byId } = await verify({
      change: () => ({
        stackState: async () => {
          throw new Error("the moon is full");
        },
      }),
    });
    expect(byId.get("stack-deploys")).toMatchObject({
      verdict: "differs",
      saw: "failed with Error: the moon is full",
    });
  });
});

test("results name no account, host, session, user or password", async () => {
  const { results, mask } = await verify();
  const text = [...results.map(({ saw }) => saw), mask(`${HOST} ${PASSWORD}`)].join("\n");
  for (const secret of ["123456789012", HOST, "rds.amazonaws", PASSWORD, "mf_qdoi"])
    expect(text).not.toContain(secret);
});

test("each check is named once, in plain lower case, and its page and heading are there", () => {
  const ids = CHECKS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^[a-z]+(?:-[a-z]+)*$/.test(id))).toEqual([]);
  const broken = CHECKS.filter(({ where }) => {
    const [page = "", anchor] = where.split("#");
    if (!existsSync(join(root, page))) return true;
    const headings = [...readFileSync(join(root, page), "utf8").matchAll(/^#+ (.+)$/gm)].map(
      ([, heading = ""]) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w\s-]/g, "")
          .replaceAll(/\s/g, "-"),
    );
    return anchor !== undefined && !headings.includes(anchor);
  });
  expect(broken).toEqual([]);
});

test("docs/verify.md has every check with what the documents say, and no other", () => {
  const page = readFileSync(join(root, "docs/verify.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| \[(.+?)\]\((.+?)\) \|/gm)];
  expect(rows.map(([, ...cells]) => cells)).toEqual(
    CHECKS.map(({ id, documents, where }) => [id, documents, where.replace(/^docs\//, "")]),
  );
});
