import { GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { beforeAll, expect, test } from "vitest";
import type { Credential } from "../../../core/leases/credential.ts";
import { invoke } from "../../local/clients.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
beforeAll(async () => {
  stack = await sharedShipped();
  await stack.runner.rotations.finished();
});

const VERIFIER = /SCRAM-SHA-256\$\d+:/;
const CONNECTION_STRING = /postgres(ql)?:\/\//;

/** Everything but the replies that the whole run has put anywhere. */
function everythingWritten(): string {
  const { runner } = stack;
  return [
    ...runner.logs().map(({ line }) => line),
    ...Object.values(runner.outputs),
    JSON.stringify(runner.calls),
    runner.database.log(),
    ...runner.queueMessages(),
  ].join("\n");
}

async function secretsOfTheStack(): Promise<string[]> {
  const arns = new Set(
    stack.runner.calls
      .filter(({ action }) => action === "secretsmanager:GetSecretValue")
      .map(({ resource }) => resource),
  );
  const values: string[] = [];
  for (const SecretId of arns)
    for (const VersionStage of ["AWSCURRENT", "AWSPREVIOUS"]) {
      const found = await stack.administrator.secrets
        .send(new GetSecretValueCommand({ SecretId, VersionStage }))
        .catch(() => undefined);
      const { password, pepper } = JSON.parse(found?.SecretString ?? "{}");
      values.push(...[password, pepper].filter((each) => typeof each === "string"));
    }
  return values;
}

test("no password, pepper, verifier or connection string is in a log, an error or a metric", async () => {
  const credentials: Credential[] = [];
  for (let i = 0; i < 3; i++) credentials.push(await stack.issue({ idempotencyKey: `pod-${i}` }));
  credentials.push(await stack.issue({ idempotencyKey: "pod-0" }), await stack.issue());
  const [first] = credentials as [Credential];
  const client = await stack.logIn(first);
  const errors: unknown[] = [];
  const provoke = async (event: unknown): Promise<void> => {
    const { answer, FunctionError } = await stack.ask(event);
    expect(FunctionError).toBe("Unhandled");
    errors.push(answer);
  };

  await provoke({ action: "issue", ttlSeconds: 1 });
  await provoke({ ...first, action: "renew" });
  await provoke({ action: "renew", leaseId: first });
  // the group is gone: the issue statement itself fails inside the server
  const group = first.username.replace(/^(mf_[a-z2-7]{4})_.*/, "$1_group_readwrite");
  await stack.superuser(`alter role "${group}" rename to "${group}_away"`);
  const broken = await stack.ask({ action: "issue" }, "readwrite");
  expect(broken.FunctionError).toBe("Unhandled");
  errors.push(broken.answer);
  await stack.superuser(`alter role "${group}_away" rename to "${group}"`);
  // the server goes away in the middle of things, and comes back
  await stack.runner.database.crash();
  await provoke({ action: "issue" });
  await stack.runner.database.restart();
  credentials.push(await stack.issue());

  const { leaseId } = first;
  await stack.ask({ action: "renew", leaseId });
  await stack.ask({ action: "lookup", leaseId });
  await stack.ask({ action: "revoke", leaseId });
  await stack.operate({ action: "revoke", everything: true });
  await stack.operate({ action: "sweep" });
  await invoke(stack.administrator, stack.issuerArn, { action: "issue" });
  await client.end().catch(() => {});

  const written = `${everythingWritten()}\n${JSON.stringify(errors)}`;
  const secrets = [...credentials.map(({ password }) => password), ...(await secretsOfTheStack())];
  expect(secrets.length).toBeGreaterThan(10);
  expect(new Set(secrets).size).toBeGreaterThan(8);
  expect(written).toContain("request.refused");
  expect(secrets.filter((secret) => written.includes(secret))).toEqual([]);
  expect(written).not.toMatch(CONNECTION_STRING);
  expect(written.split("\n").filter((line) => VERIFIER.test(line))).toEqual([]);
});
