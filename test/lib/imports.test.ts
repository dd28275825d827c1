import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import { ofType, only, type Resources } from "./synthesized.ts";

const root = join(import.meta.dirname, "..", "..");
const { path: folder, remove } = tempFolder("imports");
afterAll(remove);

const ORDERS_CA = join(root, "dist", "issuer", "rds-ca", "eu-west-1.pem");
const { context } = JSON.parse(readFileSync(join(root, "cdk.json"), "utf8"));

/** Run an example as the CDK's command line does, with its rules for templates. */
async function synthesize(name: string): Promise<{ outdir: string; resources: Resources }> {
  const outdir = join(folder, name);
  const env = {
    PATH: process.env.PATH,
    ORDERS_CA,
    CDK_OUTDIR: outdir,
    CDK_VALIDATION: "true",
    CDK_CONTEXT_JSON: JSON.stringify(context),
  };
  const program = join(root, "examples", "imports", `${name}.ts`);
  const { stderr } = await promisify(execFile)(process.execPath, [program], { env });
  expect(stderr).toBe("");
  const read = (file: string) => JSON.parse(readFileSync(join(outdir, file), "utf8"));
  expect(read("validation-report.json").pluginReports).toEqual([]);
  return { outdir, resources: read("Orders.template.json").Resources };
}

const issuerOf = (resources: Resources) =>
  only(resources, "AWS::Lambda::Function", "FunctionsIssuer")[1].Properties;

test.each([
  ["instance", "orders-db.c0ffee.eu-west-1.rds.amazonaws.com"],
  ["cluster", "orders.cluster-c0ffee.eu-west-1.rds.amazonaws.com"],
])("an %s that exists lets the functions in by its own security group", async (name, host) => {
  const { resources } = await synthesize(name);
  expect(issuerOf(resources).Environment).toMatchObject({
    Variables: { DB_HOST: host, DB_PORT: "5432" },
  });
  const [, rule] = only(resources, "AWS::EC2::SecurityGroupIngress");
  expect(rule.Properties).toMatchObject({ GroupId: "sg-0123456789abcdef0", ToPort: 5432 });
  expect(ofType(resources, "AWS::RDS::DBInstance")).toEqual([]);
});

test("any PostgreSQL is trusted by the authority it was given", async () => {
  const { outdir, resources } = await synthesize("any-postgres");
  const { Environment, Code } = issuerOf(resources) as {
    Environment: object;
    Code: { S3Key: string };
  };
  expect(Environment).toMatchObject({ Variables: { DB_HOST: "postgres.internal.example.com" } });
  const asset = join(outdir, `asset.${Code.S3Key.replace(/\.zip$/, "")}`, "deployment.json");
  expect(JSON.parse(readFileSync(asset, "utf8"))).toMatchObject({
    tls: "verify-full",
    ca: readFileSync(ORDERS_CA, "utf8"),
  });
  const [, group] = only(resources, "AWS::EC2::SecurityGroup");
  expect(group.Properties.SecurityGroupEgress).toContainEqual(
    expect.objectContaining({ CidrIp: "10.20.0.0/16", ToPort: 5432 }),
  );
});
