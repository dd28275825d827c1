import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { leaseVariable } from "../core/names.ts";
import type { Runner } from "./runner.ts";

/** Environment variables, as one line for a shell. */
const exportLine = (variables: Readonly<Record<string, string>>): string =>
  `export ${Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(" ")}`;

const quoted = (value: string): string =>
  /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;

const OF_A_DATABASE = /^.+(?=(?:IssuerArn|OperatorArn|RevokerLogGroup)$)/;

/** `OrdersIssuerArn` is ISSUER_ARN where there is one database, else ORDERS_ISSUER_ARN. */
const shortened = (output: string, { outputs }: Runner): string => {
  const issuers = Object.keys(outputs).filter((each) => each.endsWith("IssuerArn"));
  return issuers.length > 1 ? output : output.replace(OF_A_DATABASE, "");
};

/** `UserServiceRoleArn` is USER_SERVICE_ROLE_ARN. */
const variableOf = (output: string): string =>
  output.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toUpperCase();

const keysOf = (runner: Runner, principal: string): string => {
  const { accessKeyId, secretAccessKey, sessionToken } = runner.credentialsFor(principal);
  return exportLine({
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  });
};

/** The aliases that a principal may call. It evaluates the policies. */
async function aliasesOf(runner: Runner, principal: string): Promise<string[]> {
  const { endpoint, region } = runner;
  const credentials = runner.credentialsFor(principal);
  const client = new LambdaClient({ endpoint, region, credentials });
  const checks = runner.aliasArns.map((FunctionName) =>
    client.send(new InvokeCommand({ FunctionName, InvocationType: "DryRun" })).then(
      () => [FunctionName],
      () => [],
    ),
  );
  return (await Promise.all(checks)).flat();
}

/** The secrets among the outputs that a principal may read. It evaluates the policies. */
async function secretsOf(runner: Runner, principal: string): Promise<string[]> {
  const { endpoint, region, outputs } = runner;
  const credentials = runner.credentialsFor(principal);
  const client = new SecretsManagerClient({ endpoint, region, credentials });
  const checks = Object.entries(outputs)
    .filter(([output]) => output.endsWith("SecretArn"))
    .map(([output, SecretId]) =>
      client.send(new GetSecretValueCommand({ SecretId })).then(
        () => [variableOf(output)],
        () => [],
      ),
    );
  return (await Promise.all(checks)).flat();
}

/** The variable of a workload that asks this alias, as a deployment would set it. */
function leaseVariableOf(alias: string, { outputs }: Runner): string {
  const [, issuer, role = ""] = /^(.*):[^:]+?--([^:]+)$/.exec(alias) ?? [];
  const [output = ""] = Object.entries(outputs).find(([, value]) => value === issuer) ?? [];
  return leaseVariable(`${variableOf(output.replace(/IssuerArn$/, ""))}/${role}`);
}

/** An alias is named `<consumer>--<role>`. */
const consumerOf = (alias: string | undefined): string | undefined =>
  alias?.split(":").at(-1)?.split("--")[0];

/**
 * What a shell needs to use a stack that runs: comments and `export` lines, to paste or to source.
 * The administrator's keys come last, so that a shell that sources everything has those.
 */
export async function introduction(runner: Runner): Promise<string> {
  const { endpoint, region, outputs, caFile } = runner;
  const lines = [
    `# stack ${runner.stackName}; in every shell:`,
    exportLine({
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      PGSSLROOTCERT: caFile,
      NODE_EXTRA_CA_CERTS: caFile,
    }),
    exportLine(
      Object.fromEntries(
        Object.entries(outputs).map(([key, value]) => [variableOf(shortened(key, runner)), value]),
      ),
    ),
  ];
  const made = Object.keys(outputs).filter((output) => output.endsWith("RoleArn"));
  const principals = [...made.map((output) => outputs[output] ?? ""), ...runner.existingRoles];
  for (const principal of principals) {
    const aliases = await aliasesOf(runner, principal);
    const secrets = await secretsOf(runner, principal);
    lines.push("", `# as ${consumerOf(aliases[0]) ?? principal}:`, keysOf(runner, principal));
    for (const alias of aliases)
      lines.push(
        `# export ${leaseVariableOf(alias, runner)}=${alias}`,
        `# aws lambda invoke --function-name ${alias} --cli-binary-format raw-in-base64-out --payload '{"action":"issue"}' /dev/stdout`,
      );
    for (const variable of secrets)
      lines.push(`# aws secretsmanager get-secret-value --secret-id "$${variable}"`);
  }
  lines.push("", "# as an administrator, who may do anything that no policy denies:");
  lines.push(keysOf(runner, "administrator"));
  return lines.join("\n");
}
