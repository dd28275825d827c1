import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { runVerify, type VerifyDeps } from "../../../bin/commands/verify-run.ts";
import type { Account } from "../../../bin/verify/account.ts";
import { CHECKS } from "../../../bin/verify/checks/checks.ts";
import type { Deployer } from "../../../bin/verify/deployer.ts";
import type { InterruptionListener } from "../../../bin/verify/interruption.ts";
import { type Change, FAKE_STACK, fakeAccount, jumpingTime } from "../../support/fake-account.ts";

const ROLE_ARN = "arn:aws:iam::123456789012:role/verify";

const OUTPUTS = new Map([
  ["OrdersIssuerArn", FAKE_STACK.issuerArn],
  ["OrdersOperatorArn", FAKE_STACK.operatorArn],
  ["VerifyRoleArn", ROLE_ARN],
  ["VerifyFunctionName", FAKE_STACK.consumerFunction ?? ""],
  ["OrdersReportsSecretArn", FAKE_STACK.deployed.userSecretArn],
  ["OrdersAdminSecretArn", FAKE_STACK.deployed.masterSecretArn],
]);

/** A database and its endpoints, for a month: $73. */
const TEMPLATE = {
  Resources: {
    Endpoint: {
      Type: "AWS::EC2::VPCEndpoint",
      Properties: { VpcEndpointType: "Interface", SubnetIds: Array.from({ length: 10 }, () => "") },
    },
  },
};

interface Setting {
  readonly change?: Change;
  readonly deployer?: Partial<Deployer> | ((stop: () => void) => Partial<Deployer>);
  readonly typed?: string;
  /** The outputs of a stack, and of a database that has one of its own. */
  readonly outputs?: VerifyDeps["outputsOf"];
  /** Called with what stops the run, at each call of an account. */
  readonly onCall?: (stop: () => void, name: string) => void;
}

async function run(
  options: object,
  { change, deployer, typed, outputs = async () => OUTPUTS, onCall }: Setting = {},
) {
  const text = { out: "", err: "" };
  const done: string[] = [];
  const reports: string[] = [];
  const assumed: string[] = [];
  const stopping = new AbortController();
  const time = jumpingTime();
  const account = fakeAccount(time, change);
  let listener: InterruptionListener | undefined;
  const stop = (): void => {
    if (!stopping.signal.aborted) listener?.onFirst();
    stopping.abort();
  };
  const watched: Account = new Proxy(account, {
    get: (target, name, receiver) => {
      onCall?.(stop, String(name));
      return Reflect.get(target, name, receiver);
    },
  });
  const deps: VerifyDeps = {
    checks: CHECKS,
    isAws: true,
    whereAmI: async () => ({ account: "123456789012", region: "eu-west-1" }),
    outputsOf: outputs,
    makeAccount: async (roleArn) => {
      if (roleArn !== undefined) assumed.push(roleArn);
      return watched;
    },
    makeDeployer: () => ({
      stackName: "MayflyVerify-abc123",
      consumer: "verify",
      role: "readonly",
      synthesize: async () => [TEMPLATE],
      deploy: async () => void done.push("deploy"),
      destroy: async () => void done.push("destroy"),
      removeFiles: () => void done.push("remove files"),
      ...(typeof deployer === "function" ? deployer(stop) : deployer),
    }),
    makeTime: () => time,
    listen: (listening) => {
      listener = listening;
      return { signal: stopping.signal, end: () => void done.push("end of listening") };
    },
    writeReport: (path, report) => void reports.push(`${path}\n${report}`),
  };
  const isTTY = typed !== undefined;
  const into = (stream: "out" | "err") => ({
    isTTY,
    write: (chunk: string) => {
      text[stream] += chunk;
    },
  });
  const input = Object.assign(new PassThrough(), { isTTY });
  input.end(typed ?? "");
  const io = { in: input, out: into("out"), err: into("err") };
  const failure = await runVerify(io, { report: "r.md", ...options }, deps).then(
    () => undefined,
    (error: Error & { status?: number }) => error,
  );
  return {
    ...text,
    status: failure === undefined ? 0 : failure.status,
    message: failure?.message ?? "",
    done,
    account,
    report: reports.join(""),
    assumed,
  };
}

const GIVEN = { stack: "Shop", consumer: "verify", role: "readonly", yes: true };
const FILES = ["remove files", "end of listening"];

describe("without a stack", () => {
  test("the sandbox is deployed, checked, changed once, and destroyed", async () => {
    const { status, done, out, err, report, account, assumed } = await run({ yes: true });
    expect({ status, assumed }).toEqual({ status: 0, assumed: [ROLE_ARN] });
    expect(done).toEqual(["deploy", "deploy", "destroy", ...FILES]);
    expect(account.done.filter((each) => each.startsWith("revoke"))).toHaveLength(2);
    expect(err).toContain(
      "This deploys the stack MayflyVerify-abc123 into account 123456789012, Region eu-west-1, checks it, and destroys it. It takes about an hour, and costs $0.20 for 2 hours",
    );
    expect(err).toMatch(/\n24 as documented, 0 differ, 12 skipped; the report is in r\.md\n$/);
    expect(out.split("\n")[0]).toMatch(/^CHECK +VERDICT +SAW, OR WHY NOT$/);
    expect(out.split("\n")).toHaveLength(CHECKS.length + 2);
    for (const { id } of CHECKS) expect(report).toContain(`| ${id} |`);
    for (const secret of ["123456789012", "MayflyVerify-abc123"])
      expect(report).not.toContain(secret);
  });

  test("nothing is created without a terminal, or after another answer than yes", async () => {
    const piped = await run({});
    expect(piped).toMatchObject({ status: 64, done: FILES, out: "" });
    expect(piped.message).toMatch(/costs \$0\.20 .* so nothing was made; pass --yes$/);
    const refused = await run({}, { typed: "no\n" });
    expect(refused).toMatchObject({
      status: 64,
      done: FILES,
      message: "not confirmed: nothing was made",
    });
    const confirmed = await run({}, { typed: "yes\n" });
    expect(confirmed).toMatchObject({ status: 0 });
  });

  test("a failed deployment counts as a difference, and is removed", async () => {
    const deployer = {
      deploy: async () => {
        throw new Error("Mayfly | ResourcePolicy of 123456789012 is not supported");
      },
    };
    const { status, done, report, message } = await run({ yes: true }, { deployer });
    expect({ status, done }).toEqual({ status: 76, done: ["destroy", ...FILES] });
    expect(message).toMatch(/^not as documented: stack-deploys; please open an issue/);
    expect(report).toContain("Mayfly \\| ResourcePolicy of <account> is not supported");
    expect(report).toContain("| request-id | function_request_id in an audit line");
  });

  test("leftovers are listed with the commands that remove them", async () => {
    const deployer = {
      destroy: async () => {
        throw new Error("DELETE_FAILED");
      },
    };
    const failed = await run({ yes: true }, { deployer });
    expect(failed.status).toBe(69);
    expect(failed.err).toContain(
      "left behind: stack MayflyVerify-abc123 (DELETE_FAILED); remove it with: aws cloudformation delete-stack --stack-name MayflyVerify-abc123\n",
    );
    expect(failed.report).toContain("- stack <stack>: DELETE_FAILED");
    const change: Change = () => ({
      remaindersOf: async () => [{ what: "log group x", byHand: "aws logs delete-log-group" }],
    });
    const kept = await run({ yes: true }, { change });
    expect(kept.status).toBe(69);
    expect(kept.err).toMatch(/left behind: log group x .*; remove it with: aws logs delete-log-g/);
  });

  test("a deployed stack without outputs is destroyed too", async () => {
    const { status, done, message } = await run(
      { yes: true, consumer: undefined },
      { deployer: { consumer: "other" } },
    );
    expect(message).toMatch(/has no output OtherRoleArn/);
    expect({ status, done }).toEqual({ status: 69, done: ["deploy", "destroy", ...FILES] });
  });

  test("Ctrl-C before the question creates nothing and asks nothing", async () => {
    const deployer = (stop: () => void) => ({
      synthesize: async () => {
        stop();
        return [TEMPLATE];
      },
    });
    const ran = await run({}, { deployer, typed: "yes\n" });
    expect(ran).toMatchObject({ status: 75, done: FILES, out: "" });
    expect(ran.message).toBe("interrupted: nothing was made");
  });

  test("Ctrl-C during the deployment ends it and removes the stack", async () => {
    const ran = await run(
      { yes: true },
      {
        deployer: (stop) => ({
          deploy: async (signal) => {
            stop();
            signal.throwIfAborted();
          },
        }),
      },
    );
    expect(ran).toMatchObject({ status: 75, done: ["destroy", ...FILES] });
    expect(ran.report).toMatch(/\| stack-deploys \| .* \| interrupted \|/);
  });

  test.each([
    ["checks", "logLines"],
    ["rotates", "rotateSecret"],
  ])("Ctrl-C while it %s ends the checks and removes everything", async (_, at) => {
    const onCall = (stop: () => void, name: string): void => {
      if (name === at) stop();
    };
    const ran = await run({ yes: true }, { onCall });
    expect(ran).toMatchObject({ status: 75, done: ["deploy", "destroy", ...FILES] });
    expect(ran.message).toMatch(/^interrupted; the report holds the checks made/);
    expect(ran.report).toContain("| interrupted |");
    expect(ran.account.done.filter((each) => each.startsWith("revoke"))).toHaveLength(2);
    expect(ran.err).toContain("stopping; what was made is being removed");
  });
});

describe("with a stack of somebody's", () => {
  test("verify issues and ends its own leases, and changes nothing else", async () => {
    const { status, done, account, err } = await run(GIVEN);
    expect({ status, done }).toEqual({ status: 0, done: ["end of listening"] });
    expect(account.done).toEqual([
      expect.stringMatching(/^revoke k/),
      expect.stringMatching(/^revoke k/),
    ]);
    expect(err).toContain("It makes and ends two leases of verify for readonly");
    expect(err).toMatch(/20 as documented, 0 differ, 16 skipped/);
  });

  test("after Ctrl-C nothing more is created", async () => {
    const created: string[] = [];
    const change: Change = () => ({
      createSchedule: async ({ name }) => void created.push(name),
    });
    const onCall = (stop: () => void, name: string): void => {
      if (name === "scheduleTarget") stop();
    };
    const { status, account } = await run(GIVEN, { change, onCall });
    expect({ status, created }).toEqual({ status: 75, created: [] });
    expect(account.done.filter((each) => each.startsWith("revoke"))).toHaveLength(2);
  });

  test("its leases are ended even when the program itself fails", async () => {
    const onCall = (_: () => void, name: string): void => {
      if (name === "schedulesNamed") throw "not an error";
    };
    const { account, message } = await run(GIVEN, { onCall });
    expect(message).toBe("");
    expect(account.done).toHaveLength(2);
  });

  test("a difference decides the status, and is named", async () => {
    const change: Change = () => ({ aliasPolicies: async () => ({}) });
    const { status, message } = await run(GIVEN, { change });
    expect({ status, message }).toEqual({
      status: 76,
      message: "not as documented: alias-policy; please open an issue with the report",
    });
  });

  test("a lease that could not be ended is listed with the command that ends it", async () => {
    const change: Change = (right) => ({
      invoke: async (as, arn, event) => {
        if ("action" in event && event.action === "revoke")
          return { errorType: "DatabaseUnavailableError", payload: { errorMessage: "busy" } };
        return right.invoke(as, arn, event);
      },
    });
    const { status, err } = await run(GIVEN, { change });
    expect(status).toBe(69);
    expect(err).toMatch(
      /left behind: lease orders\S+ \(DatabaseUnavailableError: busy\); remove it with: mayfly revoke orders\S+ --stack Shop --assume\n/,
    );
  });

  test("a database with a stack of its own, and one of very many consumers", async () => {
    const { VerifyRoleArn: _, ...rest } = Object.fromEntries(OUTPUTS);
    const ConsumerRoleArns = ROLE_ARN.replace("verify", "*");
    const outputs: VerifyDeps["outputsOf"] = async (_stack, database) =>
      new Map([
        ["DatabaseStacks", "other,orders"],
        ...(database === "orders" ? Object.entries({ ...rest, ConsumerRoleArns }) : []),
      ]);
    const provisioned = (status: string): Change => {
      return () => ({
        stackState: async (name) => ({
          status: "UPDATE_COMPLETE",
          resources:
            name === "Shop-orders"
              ? [{ logicalId: "P", type: "Custom::MayflyProvision", physicalId: "p", status }]
              : [{ logicalId: "R", type: "AWS::IAM::Role", physicalId: "r", status }],
        }),
      });
    };
    const options = { ...GIVEN, database: "orders" };
    const right = await run(options, { outputs, change: provisioned("UPDATE_COMPLETE") });
    expect(right.assumed).toEqual([ROLE_ARN]);
    expect(right.report).toContain("its two stacks are UPDATE_COMPLETE with 2 resources");
    expect(right.report).toContain("| pg-signal-backend | as documented |");
    const wrong = await run(options, { outputs, change: provisioned("UPDATE_FAILED") });
    expect(wrong.message).toMatch(/^not as documented: stack-deploys, pg-signal-backend;/);
  });

  test("a long stack name that is cut in a role's name is masked, also if no stack can be read", async () => {
    const cut = "TheShopOfTheOld-zsyebd";
    const VerifyRoleArn = `arn:aws:iam::123456789012:role/mayfly-sandbox_${cut}_verify-eu-west-1`;
    const issuer = FAKE_STACK.issuerArn.replace("Shop", "TheShopOfTheOldTown");
    const outputs = async () =>
      new Map([...OUTPUTS, ["VerifyRoleArn", VerifyRoleArn], ["OrdersIssuerArn", issuer]]);
    const change: Change = () => ({
      stackState: async () => {
        throw new Error(`${VerifyRoleArn} may not describe it`);
      },
      invoke: async (_, arn) => {
        throw new Error(`${VerifyRoleArn} may not invoke ${arn}`);
      },
    });
    const { report } = await run(GIVEN, { outputs, change });
    expect(report).toContain(":role/mayfly-sandbox_<consumer role> may not invoke");
    expect(report).toContain(":function:mayfly-<stack>-qdoi-issuer");
    expect(report).not.toContain("TheShop");
  });

  test("the answer as JSON is one document", async () => {
    const { out } = await run({ ...GIVEN, json: true });
    const { checks, report } = JSON.parse(out);
    expect(checks.map(({ id }: { id: string }) => id)).toEqual(CHECKS.map(({ id }) => id));
    expect(report).toBe("r.md");
  });

  test.each<[string, object, RegExp]>([
    ["no grant", { stack: "Shop" }, /--stack needs --consumer and --role/],
    ["no stack", { consumer: "verify", role: "readonly" }, /name the stack with --stack/],
    ["another consumer", { ...GIVEN, consumer: "x" }, /has no output XRoleArn/],
    ["another database", { ...GIVEN, database: "x" }, /has no database x/],
  ])("%s", async (_, options, words) => {
    const { status, message, out } = await run(options);
    expect([64, 69]).toContain(status);
    expect(message).toMatch(words);
    expect(out).toBe("");
  });
});
