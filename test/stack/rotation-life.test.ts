import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DescribeSecretCommand } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import shipped from "../../mayfly.config.ts";
import { invoke } from "../local/clients.ts";
import { secretOf } from "../local/rotation-app.ts";
import { synthesizeHere } from "../support/assembly.ts";
import { arnOf, attemptsOf, refusalOf, shippedSecret } from "../support/shipped-secrets.ts";
import { type ShippedStack, startShipped } from "../support/stack.ts";

const DAY = 86_400_000;
const { path, remove } = tempFolder("rotations");

function synthesize(name: string, config: unknown): string {
  const outdir = join(path, name);
  synthesizeHere(outdir, config);
  return outdir;
}

/** The shipped configuration with a schedule that is another, a secret gone, and one that is new. */
function changed(): unknown {
  const { orders } = shipped.databases;
  const { reports: _, ...secrets } = { ...orders?.secrets };
  return {
    databases: {
      orders: {
        ...orders,
        secrets: {
          ...secrets,
          shop: { ...secrets.shop, schedule: "14d" },
          audit: { strategy: "single-user", username: "auditor", role: "readonly" },
        },
      },
    },
    consumers: {
      ...shipped.consumers,
      reporting: { ...shipped.consumers.reporting, secrets: ["orders/audit"] },
    },
  };
}

/** Let the sweeper think that the issuer's logins are rotated every second. */
function hurry(assembly: string): void {
  for (const folder of readdirSync(assembly).filter((each) => each.startsWith("asset."))) {
    const file = join(assembly, folder, "deployment.json");
    if (!readdirSync(join(assembly, folder)).includes("deployment.json")) continue;
    const deployment = JSON.parse(readFileSync(file, "utf8"));
    if (deployment.rotatedSecrets === undefined) continue;
    deployment.rotatedSecrets.issuer.periodSeconds = 1;
    writeFileSync(file, JSON.stringify(deployment));
  }
}

let assemblies: Readonly<Record<"first" | "second", string>>;
let stack: ShippedStack;
/** Which function dies before it does anything, and at which of its events. */
let broken = { name: "rotate-issuer", at: "" };
const NOBODY = { name: "nobody", at: "" };
/** What the runner said but for what it made, changed and took away. */
const faults: string[] = [];
/** Roles that there were when the server went. */
let left: string[] = [];

beforeAll(async () => {
  assemblies = { first: synthesize("first", shipped), second: synthesize("second", changed()) };
  hurry(assemblies.first);
  stack = await startShipped({
    assembly: assemblies.first,
    rotationRetrySeconds: 600,
    onInvoke: (name, payload) =>
      name.endsWith(broken.name) && payload.includes(broken.at) ? "kill-before" : "run",
    onProgress: async (line) => {
      if (!/^(?:creating|updating|deleting|keeping) /.test(line)) faults.push(line);
      if (line.startsWith("deleting AWS::RDS::DBInstance")) left = await rolesLeft();
    },
  });
  await stack.runner.rotations.idle();
});
afterAll(async () => {
  await stack?.stop();
  remove();
});

async function rolesLeft(): Promise<string[]> {
  const rows = await stack.superuser(
    "select rolname::text as name from pg_roles where rolname ~ '^(mf_|shop_|reports|auditor)' order by 1",
  );
  return rows.map(({ name }) => String(name));
}

const audit = () => secretOf(stack.administrator, stack.runner.outputs.OrdersAuditSecretArn ?? "");

test("a deployment whose rotator is broken issues leases, and says what is broken", async () => {
  const credential = await stack.issue();
  await (await stack.logIn(credential)).end();
  await stack.ask({ action: "revoke", leaseId: credential.leaseId });
  expect(attemptsOf(stack, "issuer")).toEqual([
    expect.objectContaining({ failure: expect.objectContaining({ step: "createSecret" }) }),
  ]);
  expect(faults.splice(0)).toEqual([
    expect.stringMatching(
      /^the rotation of Mayfly-ordersSecretsIssuer\S+ failed at createSecret: /,
    ),
  ]);
});

test("the sweep names the secret that is overdue", async () => {
  const sweeper = stack.operatorArn.replace(/operator$/, "sweeper");
  const { answer } = await invoke(stack.administrator, sweeper, { action: "sweep" });
  expect(answer).toMatchObject({ secretsOverdue: ["issuer"] });
  const finished = stack.runner.logs().findLast(({ line }) => line.includes("sweep.finished"));
  expect(JSON.parse(finished?.line ?? "")).toMatchObject({ secretsOverdue: ["issuer"] });
});

test("mended, it goes on with the rotation that has failed", async () => {
  broken = NOBODY;
  const { AWSPENDING } = await shippedSecret(stack, "issuer").labels();
  await expect(shippedSecret(stack, "issuer").rotate()).rejects.toThrow(/will be reattempted/);
  await stack.runner.rotations.idle();
  expect(await shippedSecret(stack, "issuer").labels()).toMatchObject({ AWSCURRENT: AWSPENDING });
});

test("a schedule is changed, a secret taken away and one made, while rotations run", async () => {
  const { runner, administrator } = stack;
  const gone = arnOf(runner, "reports");
  for (const name of ["reports", "shop", "admin", "issuer"] as const)
    await shippedSecret(stack, name).rotate();
  await runner.update(assemblies.second);
  await runner.rotations.finished();
  expect(faults.splice(0)).toEqual([]);

  const describe = new DescribeSecretCommand({ SecretId: gone });
  await expect(administrator.secrets.send(describe)).rejects.toThrow(/can't find/);
  const { RotationRules, NextRotationDate, LastRotatedDate } = await shippedSecret(
    stack,
    "shop",
  ).describe();
  expect(RotationRules).toMatchObject({ ScheduleExpression: "rate(14 days)" });
  const days = (Number(NextRotationDate) - Number(LastRotatedDate)) / DAY;
  expect(Math.ceil(days)).toBeGreaterThanOrEqual(14);
  for (const secret of [audit(), shippedSecret(stack, "shop"), shippedSecret(stack, "admin")])
    expect(await refusalOf(stack, await secret.value())).toBeUndefined();
  expect(await audit().labels()).toEqual({
    AWSCURRENT: expect.anything(),
    AWSPREVIOUS: expect.anything(),
  });
  expect(await rolesLeft()).not.toContain("reports");
  await stack.issue();

  const attempts = (arn: string) =>
    runner.rotations.attempts.filter(({ secretArn }) => secretArn === arn).length;
  const before = [attempts(gone), attempts(arnOf(runner, "shop"))];
  await runner.rotations.advance(31 * DAY);
  const after = [attempts(gone), attempts(arnOf(runner, "shop"))];
  expect(after.map((each, i) => each - (before[i] ?? 0))).toEqual([0, 2]);
});

test("a stack is deleted while rotations run or have failed, and nothing of them is left", async () => {
  const { runner, administrator } = stack;
  const shop = arnOf(runner, "shop");
  // its password is set, and in AWSPENDING alone: the deletion must do with that
  broken = { name: "rotate-admin", at: "testSecret" };
  await shippedSecret(stack, "admin").rotate();
  await runner.rotations.idle();
  expect(await refusalOf(stack, await shippedSecret(stack, "admin").value())).toBe("28P01");
  expect(faults.splice(0)).toEqual([expect.stringContaining(" failed at testSecret: ")]);
  for (const name of ["shop", "issuer"] as const) await shippedSecret(stack, name).rotate();
  await audit().rotate();
  await runner.delete();
  expect(faults.splice(0)).toEqual([]);
  expect(left).toEqual([]);
  const describe = new DescribeSecretCommand({ SecretId: shop });
  await expect(administrator.secrets.send(describe)).rejects.toThrow(/can't find/);
  const { length } = runner.rotations.attempts;
  await runner.rotations.advance(400 * DAY);
  expect(runner.rotations.attempts).toHaveLength(length);
});

test("stopped in the midst of rotations, it says nothing", async () => {
  broken = NOBODY;
  await stack.runner.create(assemblies.first);
  const printed = stack.runner.logs().length;
  await stack.stop();
  expect(faults.splice(0)).toEqual([]);
  const lines = stack.runner.logs().slice(printed);
  expect(lines.filter(({ line }) => !line.includes('"level":"INFO"'))).toEqual([]);
});
