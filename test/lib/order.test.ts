import { Stack } from "aws-cdk-lib";
import { SecurityGroup } from "aws-cdk-lib/aws-ec2";
import { afterAll, describe, expect, test } from "vitest";
import { references } from "../../local/cloudformation/template.ts";
import {
  ofType,
  only,
  READONLY,
  type Resources,
  resourcesOf,
  shippedStack,
  Workbench,
} from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

/** Everything that CloudFormation creates before a resource, and deletes after it. */
function neededBy(resources: Resources, id: string, found = new Set<string>()) {
  const { Properties, DependsOn = [] } = resources[id] ?? {};
  for (const each of [...references(Properties), ...[DependsOn].flat()]) {
    if (found.has(each) || !(each in resources)) continue;
    found.add(each);
    neededBy(resources, each, found);
  }
  return found;
}

const shipped = resourcesOf(shippedStack());
const named = (type: string, word = ""): string[] =>
  ofType(shipped, type)
    .map(([id]) => id)
    .filter((id) => id.includes(word));

const [provisioned] = only(shipped, "Custom::MayflyProvision");
const [seeded] = only(shipped, "Custom::MayflySandboxSeed");
const missing = (from: string, wanted: readonly string[]): string[] => {
  const needed = neededBy(shipped, from);
  return wanted.filter((id) => !needed.has(id));
};

const OF_FUNCTIONS = ["AWS::IAM::Role", "AWS::IAM::Policy", "AWS::Logs::LogGroup"];

describe.each([
  ["the provisioner", provisioned, /^orders(?!sandbox)/, ["ordersProvisioning"]],
  ["the seeder", seeded, /^orderssandboxSeeder/, ["sandboxSeeder", "sandboxSeedFramework"]],
] as const)(
  "%s is created after everything that it needs, and deleted before it:",
  (_, id, own, makers) => {
    test.each([
      ["the database", "AWS::RDS::DBInstance"],
      ["its parameters", "AWS::RDS::DBParameterGroup"],
      ["its place in the administrator's secret", "AWS::SecretsManager::SecretTargetAttachment"],
      ["the endpoint of Secrets Manager", "AWS::EC2::VPCEndpoint", "SecretsManager"],
      ["the endpoint of Scheduler", "AWS::EC2::VPCEndpoint", "Scheduler"],
      ["the network", "AWS::EC2::Subnet"],
    ])("%s", (_what, type, word = "") => {
      expect(named(type, word)).not.toEqual([]);
      expect(missing(id, named(type, word))).toEqual([]);
    });

    test("the security group and its rules to the database", () => {
      const group = named("AWS::EC2::SecurityGroup").filter((each) => own.test(each));
      const inward = ofType(shipped, "AWS::EC2::SecurityGroupIngress")
        .filter(([, { Properties }]) => group.some((each) => references(Properties).has(each)))
        .map(([rule]) => rule);
      expect(inward).toHaveLength(1);
      expect(missing(id, [...group, ...inward])).toEqual([]);
    });

    test("the roles, policies and log groups of its functions", () => {
      for (const word of makers) {
        const wanted = OF_FUNCTIONS.flatMap((type) => named(type, word));
        expect(wanted.length).toBeGreaterThanOrEqual(3);
        expect(missing(id, wanted)).toEqual([]);
      }
    });
  },
);

test("the provisioner also waits for the seeded table, its secrets and the schedules", () => {
  const secrets = ["Issuer", "Janitor"].map((word) =>
    named("AWS::SecretsManager::Secret", `ordersSecrets${word}`),
  );
  const groups = named("AWS::Scheduler::ScheduleGroup");
  expect([secrets.flat().length, groups.length]).toEqual([2, 1]);
  expect(missing(provisioned, [seeded, ...secrets.flat(), ...groups])).toEqual([]);
});

describe("nobody can ask, and nothing sweeps, unless the database is provisioned", () => {
  const waiting = ["Lambda::Alias", "Lambda::ResourcePolicy", "Scheduler::Schedule"]
    .flatMap((type) => named(`AWS::${type}`))
    .filter((id) => !/operationconverge|Framework/.test(id));

  test.each(waiting)("%s", (id) => {
    expect(neededBy(shipped, id).has(provisioned)).toBe(true);
  });

  test("these are all grants' aliases, their policies and the sweep's schedule", () => {
    expect(waiting).toHaveLength(7);
  });
});

test("schedules have leases revoked until the database is given up, also when a deletion fails", () => {
  const mappings = named("AWS::Lambda::EventSourceMapping");
  expect(mappings).toHaveLength(1);
  expect(missing(provisioned, mappings)).toEqual([]);
});

test("the revoker's queue is read only while the revoker may, and while there is a queue", () => {
  const [mapping] = only(shipped, "AWS::Lambda::EventSourceMapping");
  const needed = [
    named("AWS::Lambda::Function", "Revoker"),
    named("AWS::IAM::Policy", "RevokerRole"),
    named("AWS::SQS::Queue", "RevocationsQueue").filter((id) => !id.includes("Policy")),
    named("AWS::SQS::Queue", "FailedRevocations"),
  ].flat();
  expect(needed).toHaveLength(4);
  expect(missing(mapping, needed)).toEqual([]);
});

describe("no secret is rotated before its users are made, nor once they are given up", () => {
  const schedules = named("AWS::SecretsManager::RotationSchedule");

  test.each(schedules)("%s", (id) => {
    const needed = neededBy(shipped, id);
    expect(needed.has(provisioned)).toBe(true);
    const own = id.replace(/Schedule[0-9A-F]{8}$/, "");
    for (const type of ["Lambda::Permission", "Lambda::Function", "IAM::Policy"]) {
      const [mine] = only(shipped, `AWS::${type}`, own);
      expect(needed.has(mine)).toBe(true);
    }
  });

  test("each secret, and each of Mayfly's own logins, has a rotation schedule", () => {
    expect(schedules).toHaveLength(5);
  });

  test("only the administrator's rotation waits for the RDS endpoint", () => {
    const [endpoint = ""] = named("AWS::EC2::VPCEndpoint", "VpcRds");
    const waiting = schedules.filter((id) => neededBy(shipped, id).has(endpoint));
    expect(waiting).toEqual([expect.stringContaining("secretadmin")]);
  });

  test("the provisioner waits for the secrets that it makes users from", () => {
    const secrets = ["reports", "shop"].map(
      (name) => only(shipped, "AWS::SecretsManager::Secret", `secret${name}`)[0],
    );
    expect(missing(provisioned, secrets)).toEqual([]);
  });
});

test("for an existing database, the provisioner waits for the rule in its security group", () => {
  const stack = new Stack(bench.app(), "Team");
  const databaseConnections = SecurityGroup.fromSecurityGroupId(stack, "Theirs", "sg-01234567");
  bench.database({ databaseConnections }, stack).addRole("readonly", READONLY);
  const resources = resourcesOf(stack);
  const [rule, { Properties }] = only(resources, "AWS::EC2::SecurityGroupIngress");
  expect(Properties).toMatchObject({ GroupId: "sg-01234567", FromPort: 5432 });
  const [custom] = only(resources, "Custom::MayflyProvision");
  expect(neededBy(resources, custom).has(rule)).toBe(true);
});
