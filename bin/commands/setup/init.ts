import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { ConsumerConfig, DatabaseConfig, MayflyConfig } from "../../../config/config.ts";
import { parseConfig } from "../../../config/config.ts";
import { completed, type FoundManifest, projectFiles } from "../../init/new-project.ts";
import { packageFile } from "../../init/package-source.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, say } from "../../terminal/io.ts";

interface InitOptions {
  readonly database: string;
  readonly owner: string;
  readonly consumer: string;
  readonly consumerRole?: string;
  readonly host?: string;
  readonly adminSecret?: string;
  readonly vpcId?: string;
  readonly availabilityZones?: string;
  readonly subnetIds?: string;
  readonly securityGroupId?: string;
}

/** `mayfly init`: a CDK app with a configuration, which synthesizes as it is. */
export function addInit(program: Command, io: Io): void {
  program
    .command("init")
    .description("write a CDK app with a configuration; nothing that exists is overwritten")
    .argument("[folder]", "where to write; made if it does not exist", ".")
    .option("--database <name>", "the name of the database here and on its server", "orders")
    .option("--owner <role>", "the PostgreSQL role that owns the tables", "app_owner")
    .option("--consumer <name>", "the workload that may ask for a user", "user-service")
    .option("--consumer-role <arn>", "its IAM role; default: the stack makes one")
    .option("--host <address>", "a server that exists; default: the stack makes a sandbox")
    .option("--admin-secret <name>", "with --host: the administrator's secret, its name or ARN")
    .option("--vpc-id <id>", "with --host: the VPC of the server")
    .option("--availability-zones <names>", "with --host: e.g. eu-west-1a,eu-west-1b")
    .option("--subnet-ids <ids>", "with --host: private subnets, one for each zone")
    .option("--security-group-id <id>", "with --host: the server's security group")
    .action(async (folder: string, options: InitOptions) => {
      const config = configOf(options);
      parseConfig(config);
      const { written, added } = await write(resolve(folder), config);
      for (const path of written) io.out.write(`${path}\n`);
      const install = added.length > 0 ? `npm install, which fetches ${added.join(", ")}; ` : "";
      say(io, `next, in ${resolve(folder)}: ${install}npx cdk synth`);
    });
}

function configOf(options: InitOptions): MayflyConfig {
  const { database, owner, consumer, consumerRole, host } = options;
  const target = host === undefined ? sandboxOf(options) : hostOf(host, options);
  const settings = {
    databases: [database],
    owner,
    roles: { readonly: { select: ["public.*"], ttl: "1h", maxTtl: "24h" } },
  };
  const roles = [`${database}/readonly`];
  const asks = (): ConsumerConfig => {
    if (consumerRole !== undefined) return { roleArn: consumerRole, roles };
    return host === undefined
      ? { sandbox: true, roles }
      : { newRole: { assumedBy: "account" }, roles };
  };
  return {
    databases: { [database]: { ...target, ...settings } satisfies DatabaseConfig },
    consumers: { [consumer]: asks() },
  };
}

/** Options that describe an existing server, and how the user writes them. */
const OF_HOST = {
  adminSecret: "--admin-secret",
  vpcId: "--vpc-id",
  availabilityZones: "--availability-zones",
  subnetIds: "--subnet-ids",
  securityGroupId: "--security-group-id",
} as const;
type OfHost = keyof typeof OF_HOST;
const OF_HOST_KEYS = Object.keys(OF_HOST) as readonly OfHost[];

function sandboxOf(options: InitOptions) {
  const given = OF_HOST_KEYS.filter((key) => options[key] !== undefined);
  if (given.length > 0)
    throw new Failure(
      Exit.usage,
      `${given.map((key) => OF_HOST[key]).join(", ")}: only for an existing server; name the server with --host too`,
    );
  return { sandbox: true } as const;
}

function hostOf(host: string, options: InitOptions) {
  const missing = OF_HOST_KEYS.filter((key) => options[key] === undefined);
  if (missing.length > 0)
    throw new Failure(
      Exit.usage,
      `--host: an existing server also needs ${missing.map((key) => OF_HOST[key]).join(", ")}`,
    );
  const { adminSecret = "", vpcId = "", securityGroupId = "" } = options;
  const listed = (text = ""): readonly string[] => text.split(",").map((each) => each.trim());
  return {
    host,
    adminSecret,
    vpc: {
      vpcId,
      availabilityZones: listed(options.availabilityZones),
      privateSubnetIds: listed(options.subnetIds),
      securityGroupId,
    },
  };
}

async function write(folder: string, config: MayflyConfig) {
  const files = projectFiles(config);
  const present = Object.keys(files).filter((name) => existsSync(join(folder, name)));
  if (present.length > 0)
    throw new Failure(
      Exit.usage,
      `${folder} has ${present.join(", ")} already; nothing was written: name another folder`,
    );
  const manifest = join(folder, "package.json");
  const { text, added } = completed(
    await manifestIn(manifest),
    packageFile(import.meta.filename, folder),
  );
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), content, { flag: "wx" });
  await writeFile(manifest, text);
  return {
    written: [...Object.keys(files), "package.json"].map((name) => join(folder, name)),
    added,
  };
}

async function manifestIn(path: string): Promise<FoundManifest> {
  if (!existsSync(path)) return {};
  const found = parsed(path, await readFile(path, "utf8"));
  if (found.type === undefined || found.type === "module") return found;
  throw new Failure(
    Exit.usage,
    `${path} says "type": "${found.type}", but the app needs "module"; nothing was written: name another folder`,
  );
}

function parsed(path: string, text: string): FoundManifest {
  try {
    return JSON.parse(text) as FoundManifest;
  } catch (cause) {
    throw new Failure(
      Exit.config,
      `${path} is not JSON: ${(cause as Error).message}; nothing was written: correct it first`,
      { cause },
    );
  }
}
