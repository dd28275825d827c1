import type { Account, Invocation, SecretState, StackResource } from "../../bin/verify/account.ts";
import type { StackUnderTest } from "../../bin/verify/stack-under-test.ts";
import type { Credential } from "../../core/leases/credential.ts";
import type { Instant, Time } from "../../core/time.ts";

const ACCOUNT_ID = "123456789012";
const lambda = (name: string): string => `arn:aws:lambda:eu-west-1:${ACCOUNT_ID}:function:${name}`;
const secret = (name: string): string =>
  `arn:aws:secretsmanager:eu-west-1:${ACCOUNT_ID}:secret:${name}-AbCdEf`;

export const HOST = "orders.cluster-cabcdefghijk.eu-west-1.rds.amazonaws.com";
export const PASSWORD = "correct-horse-battery-staple";
const ISSUER = lambda("mayfly-Shop-qdoi-issuer");
const REQUEST_ID = "8f5e6a8e-0000-4000-8000-000000000000";
const START = Date.parse("2026-11-29T12:00:00Z") as Instant;

/** A stack that this run has deployed. */
export const FAKE_STACK: StackUnderTest & { readonly deployed: object } = {
  name: "MayflyShop",
  issuerArn: ISSUER,
  operatorArn: lambda("mayfly-Shop-qdoi-operator"),
  consumer: "verify",
  role: "readonly",
  aliasArn: `${ISSUER}:verify--readonly`,
  consumerFunction: lambda("MayflyShop-verify"),
  roleArn: `arn:aws:iam::${ACCOUNT_ID}:role/mayfly-MayflyShop-verify-eu-west-1`,
  deployed: {
    took: 840_000,
    userSecretArn: secret("reports"),
    masterSecretArn: secret("admin"),
    redeploy: async () => {},
  },
};

/** Time that passes only while somebody waits. */
export function jumpingTime(): Time {
  let now: number = START;
  return {
    now: () => now as Instant,
    wait: async (length) => {
      now += Math.max(0, length);
    },
  };
}

const resource = (logicalId: string, type: string): StackResource => ({
  logicalId,
  type,
  physicalId: `${logicalId}-physical`,
  status: "CREATE_COMPLETE",
});

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });

export const accessDenied = (message = "not authorized"): Error =>
  named("AccessDeniedException", message);

/** An account in which everything is as the documents say, but for what a test changes. */
export interface FakeAccount extends Account {
  /** What was done that changes something, in order. */
  readonly done: string[];
}

/** What a test changes: methods of the account, each with the one that is as documented. */
export type Change = (right: FakeAccount, time: Time) => Partial<Account>;

export function fakeAccount(time: Time, change: Change = () => ({})): FakeAccount {
  const right = rightAccount(time);
  return Object.assign(right, change({ ...right }, time));
}

function rightAccount(time: Time): FakeAccount {
  const done: string[] = [];
  let issued = 0;
  let rotations = 0;
  const lines: { readonly group: string; readonly text: string; readonly from: number }[] = [];
  const log = (name: string, from: number, line: object | string): void => {
    const text = typeof line === "string" ? line : JSON.stringify(line);
    lines.push({ group: `/aws/lambda/mayfly-Shop-qdoi-${name}`, text, from });
  };
  log("sweeper", START, { message: "sweep.finished", timestamp: "2026-11-29T12:00:00Z" });
  log(
    "issuer",
    START,
    `REPORT RequestId: ${REQUEST_ID}\tDuration: 310.50 ms\tBilled Duration: 700 ms\tInit Duration: 402.11 ms`,
  );
  lines.push({
    group: "trail",
    text: JSON.stringify({ eventName: "Invoke", requestID: REQUEST_ID }),
    from: START + 300_000,
  });
  const issue = (ttlSeconds: number): Invocation => {
    issued += 1;
    const random = `abcdefghijk${"abcdefg"[issued]}`;
    const username = `mf_qdoi_readonly_verify_mzxw6ytbaa${random}`;
    const expires = time.now() + ttlSeconds * 1_000;
    const credential: Credential = {
      leaseId: `orders/readonly/${username}`,
      engine: "postgres",
      host: HOST,
      port: 5432,
      dbname: "orders",
      username,
      password: PASSWORD,
      sslmode: "verify-full",
      issuedAt: new Date(time.now()).toISOString(),
      refreshAfter: new Date(expires).toISOString(),
      expiresAt: new Date(expires).toISOString(),
      maxExpiresAt: new Date(expires).toISOString(),
      revocationScheduled: true,
      successor: true,
    };
    log("issuer", time.now(), {
      message: "lease.issued",
      username,
      function_request_id: REQUEST_ID,
    });
    log("revoker", expires + 31_000, {
      message: "lease.revoked",
      username,
      actor: "schedule",
      receipt: { state: "revoked", lagSeconds: 31.4 },
    });
    return { payload: { ...credential }, requestId: REQUEST_ID };
  };
  const refusal = (errorType: string): Invocation => ({
    payload: { errorMessage: "it says so" },
    errorType,
  });
  return {
    done,
    isAws: true,
    invoke: async (as, arn, event) => {
      const { action, ttlSeconds, leaseId } = event as {
        readonly action?: string;
        readonly ttlSeconds?: number;
        readonly leaseId?: string;
      };
      if (arn === FAKE_STACK.consumerFunction)
        return { payload: { user: "mf_qdoi_readonly_verify_x", rows: [{}, {}] } };
      if (arn === FAKE_STACK.operatorArn) return { payload: { warnings: [] } };
      if (arn === FAKE_STACK.issuerArn) return refusal("NotAllowedError");
      if (as === "caller") throw accessDenied(`an explicit deny on ${arn}`);
      if (action === "issue") return issue(ttlSeconds ?? 0);
      done.push(`${action} ${leaseId?.slice(-2)}`);
      return { payload: { state: "revoked" } };
    },
    aliasPolicies: async () => ({
      resourcePolicy: '{"Effect":"Deny","Condition":{"StringNotEquals":{"aws:PrincipalArn":"x"}}}',
    }),
    stackState: async () => ({
      status: "CREATE_COMPLETE",
      resources: [
        resource("SchedulerEndpoint", "AWS::EC2::VPCEndpoint"),
        resource("Provisioned", "Custom::MayflyProvision"),
        resource("Reports", "AWS::SecretsManager::Secret"),
      ],
    }),
    logLines: async (group, words) =>
      lines
        .filter((each) => each.group === group && each.from <= time.now())
        .map(({ text }) => text)
        .filter((text) => words.every((word) => text.includes(word))),
    runSavedQueries: async () => [
      { name: "mayfly-Shop-qdoi-queries/who had a user", status: "Complete", rows: 1 },
    ],
    schedulesNamed: async (prefix) =>
      time.now() < START + 60_000
        ? [{ group: "mayfly-Shop", name: `${prefix}-1` }]
        : [{ group: "mayfly-Shop", name: `${prefix}-1-recheck` }],
    scheduleTarget: async () => ({ targetArn: "queue", roleArn: "role", input: "{}" }),
    createSchedule: async () => {
      throw named("ValidationException", "Invalid Schedule Expression at(2026-11-29T11:59:00).");
    },
    deleteSchedule: async ({ name }) => void done.push(`delete ${name.slice(0, 6)}`),
    secretState: async (): Promise<SecretState> => ({
      rotatorArn: lambda("rotator"),
      lastRotatedAt: START,
      labels: new Map([[`version-${rotations}`, ["AWSCURRENT"]]]),
    }),
    rotateSecret: async (arn) => {
      done.push(`rotate ${arn.split(":").at(-1)}`);
      rotations += 1;
    },
    allowOnlySecret: async () => {
      done.push("allow only");
      return async () => void done.push("allow again");
    },
    query: async ({ username }, sql) => {
      if (sql.includes("rds_superuser")) return [{ role: "pg_signal_backend" }];
      if (sql.includes("restrict_password_commands")) return [{ setting: "off" }];
      if (!sql.includes("pg_auth_members")) return [{ version: 180_003 }];
      return [{ member: "mf_qdoi_issuer_aa", grantor: "rdsadmin", admin_option: true, username }];
    },
    remaindersOf: async () => [],
  };
}
