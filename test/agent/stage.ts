import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { compileOneFile } from "../../packaging/one-file.ts";
import type { OwnServer } from "../support/cluster.ts";
import { type IssuerEndpoint, startIssuerEndpoint } from "../support/issuer-endpoint.ts";
import { aliasArn, LeasedDatabase } from "../support/leased-database.ts";
import { runAs } from "../support/provisioned.ts";
import { AgentProcess, type AgentStart } from "./agent-process.ts";

/** What a case has. */
export interface Stage {
  /** Leases of an hour, renewed for a day. */
  readonly lasting: Leases;
  /** Leases of half a minute, renewed for a minute. */
  readonly short: Leases;
  /** A new folder. */
  readonly folder: () => string;
  /** End what a case that failed has left. */
  readonly tidy: () => Promise<void>;
}

/** Leases of a database, and agents that ask for them. */
export interface Leases {
  readonly issuer: IssuerEndpoint;
  /** Start an agent in a folder. Files of it are where the configuration says. */
  readonly start: (
    folder: string,
    configuration: object,
    options?: Partial<Pick<AgentStart, "flags" | "env">>,
  ) => AgentProcess;
  /** How many users there are of the key that `username` is of. */
  readonly usersBeside: (username: string) => Promise<number>;
  /** Whether the server knows a user. */
  readonly isUser: (username: string) => Promise<boolean>;
  /** What the file format `json` has logs in: as whom. */
  readonly logIn: (row: Row) => Promise<string>;
}

/** A case of `npm run test:agent`. */
export interface Case {
  readonly name: string;
  /** @returns what was seen, for the line. */
  readonly run: (stage: Stage) => Promise<string>;
}

/** What the format `json` writes. */
export interface Row {
  readonly username: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
}

/** A lease of a configuration. */
export const LEASE = { arn: aliasArn("user-service--readonly") };

/** Nobody looks at keys here. */
const KEYS = { AWS_ACCESS_KEY_ID: "none", AWS_SECRET_ACCESS_KEY: "none" };

export interface MadeStage extends Stage {
  readonly close: () => Promise<void>;
}

const CLONE = join(import.meta.dirname, "..", "..");

/** @param root a folder for the program and for the cases. */
export async function makeStage(own: OwnServer, root: string): Promise<MadeStage> {
  const program = join(root, "mayfly-agent.mjs");
  await compileOneFile(CLONE, program, join(CLONE, "dist/rds-ca"));
  const ca = join(root, "ca.pem");
  writeFileSync(ca, own.cluster.ca);
  const started = new Set<AgentProcess>();
  const undo: (() => Promise<unknown>)[] = [];
  const leases = async (ttlSeconds: number, maxTtlSeconds: number): Promise<Leases> => {
    const { cluster } = own;
    const database = await LeasedDatabase.start({ cluster, ttlSeconds, maxTtlSeconds });
    const issuer = await startIssuerEndpoint(database);
    undo.push(async () => {
      await issuer.stop();
      await database.close();
    });
    const users = async (where: string): Promise<number> =>
      (await runAs(database.test.superuser(), `select 1 from pg_roles where ${where}`)).length;
    return {
      issuer,
      start: (folder, configuration, { env = KEYS, ...options } = {}) => {
        const agent = new AgentProcess({
          program,
          folder,
          configuration: {
            health: { port: 0, tokenFile: join(folder, "health-token") },
            ca,
            ...configuration,
          },
          env: {
            PATH: process.env.PATH ?? "",
            AWS_REGION: "eu-west-1",
            AWS_ENDPOINT_URL_LAMBDA: issuer.url,
            AWS_EC2_METADATA_DISABLED: "true",
            ...env,
          },
          ...options,
        });
        started.add(agent);
        return agent;
      },
      // names of one key differ in what stands at the end
      usersBeside: (username) => users(`starts_with(rolname, '${username.slice(0, -14)}')`),
      isUser: async (username) => (await users(`rolname = '${username}'`)) === 1,
      logIn: async ({ username: user, password, host, port, dbname }) => {
        const ssl = { ca: cluster.ca };
        const client = new pg.Client({ user, password, host, port, database: dbname, ssl });
        await client.connect();
        try {
          const { rows } = await client.query<{ name: string }>("select current_user as name");
          return rows[0]?.name ?? "";
        } finally {
          await client.end();
        }
      },
    };
  };
  return {
    lasting: await leases(3_600, 86_400),
    short: await leases(30, 60),
    folder: () => mkdtempSync(join(root, "case-")),
    tidy: async () => {
      for (const agent of started) await agent.end("SIGKILL");
      started.clear();
    },
    close: async () => {
      for (const each of undo) await each();
    },
  };
}

/** Say what must hold. */
export function check(holds: boolean, claim: string): void {
  if (!holds) throw new Error(`does not hold: ${claim}`);
}
