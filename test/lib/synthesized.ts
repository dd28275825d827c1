import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { App, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Connections, Peer, Vpc } from "aws-cdk-lib/aws-ec2";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { MayflyConfig } from "../../config/config.ts";
import { parseConfig } from "../../config/config.ts";
import { DynamicDatabase, type DynamicDatabaseProps, MayflyStack } from "../../lib/index.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import shipped from "../../mayfly.config.ts";

const FUNCTIONS = [
  "issuer",
  "revoker",
  "sweeper",
  "operator",
  "provisioner",
  "seeder",
  "forwarder",
  "rotator",
  "user-service",
];

/** A folder to synthesize into, with small bundles in place of the built ones. */
export class Workbench {
  readonly #temp = tempFolder("lib");
  readonly folder = this.#temp.path;
  readonly assets = join(this.folder, "dist");
  #apps = 0;

  constructor() {
    for (const name of FUNCTIONS) {
      mkdirSync(join(this.assets, name, "rds-ca"), { recursive: true });
      writeFileSync(join(this.assets, name, "index.mjs"), `export const handler = "${name}";\n`);
      writeFileSync(join(this.assets, name, "rds-ca", "eu-west-1.pem"), "roots\n");
    }
  }

  app(context: Record<string, unknown> = {}): App {
    return new App({ outdir: join(this.folder, `cdk.out.${this.#apps++}`), context });
  }

  /** The shipped configuration, or another. */
  stack(config: MayflyConfig = shipped): MayflyStack {
    return new MayflyStack(this.app(), "Mayfly", {
      config: parseConfig(config),
      assets: this.assets,
    });
  }

  /** A team's own stack with a database that exists. */
  database(
    props: Partial<DynamicDatabaseProps> = {},
    stack: Stack = new Stack(this.app(), "Team"),
    id = "Orders",
  ): DynamicDatabase {
    return new DynamicDatabase(stack, id, {
      database: "orders",
      vpc: Vpc.fromVpcAttributes(stack, `${id}Vpc`, {
        vpcId: "vpc-0123456789abcdef0",
        availabilityZones: ["eu-west-1a"],
        privateSubnetIds: ["subnet-0123456789abcdef0"],
      }),
      databaseConnections: new Connections({ peer: Peer.ipv4("10.0.0.5/32") }),
      host: "db.example.com",
      adminSecret: Secret.fromSecretNameV2(stack, `${id}Admin`, "db/admin"),
      databases: ["orders"],
      owner: "app_owner",
      assets: this.assets,
      ...props,
    });
  }

  stackIn(env: StackProps["env"]): Stack {
    return new Stack(this.app(), "Team", { env });
  }

  remove(): void {
    this.#temp.remove();
  }
}

let made: MayflyStack | undefined;

/**
 * The stack of the shipped configuration: one for all tests of a process, which only read it. Its
 * folder goes with the process.
 */
export const shippedStack = (): MayflyStack => (made ??= new Workbench().stack());

/** The least that a role needs. */
export const READONLY = {
  select: ["public.*"],
  ttl: Duration.hours(1),
  maxTtl: Duration.hours(24),
};

/** One resource of a template, loosely typed: what tests read of it, they compare. */
export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
}

export type Resources = Readonly<Record<string, Resource>>;

/** All resources of a stack by logical id. */
export const resourcesOf = (stack: Stack): Resources =>
  Template.fromStack(stack).toJSON().Resources as Resources;

/** The resources of one type, as pairs. */
export const ofType = (resources: Resources, type: string): [string, Resource][] =>
  Object.entries(resources).filter(([, resource]) => resource.Type === type);

/** The one resource of a type whose logical id contains a word. */
export function only(resources: Resources, type: string, word = ""): [string, Resource] {
  const found = ofType(resources, type).filter(([id]) => id.includes(word));
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${found.length} resources of ${type} are called "${word}"`);
  return first;
}

/** What stands in the asset of a function. */
export function assetFile(stack: Stack, functionWord: string, file: string): string {
  const [, { Properties }] = only(resourcesOf(stack), "AWS::Lambda::Function", functionWord);
  const { S3Key } = Properties.Code as { readonly S3Key: string };
  const outdir = (stack.node.root as App).outdir;
  return readFileSync(join(outdir, `asset.${S3Key.replace(/\.zip$/, "")}`, file), "utf8");
}

/**
 * Every file of an assembly that is deployed, with its content, for comparing two syntheses.
 * CDK's metadata is left out: it holds the stack trace of each construct.
 */
export function deployedFiles(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".metadata.json"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Object.fromEntries(
    files.map((path) => [path.slice(folder.length), readFileSync(path, "utf8")]),
  );
}
