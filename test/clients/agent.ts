import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { tempFolder } from "../../local/temp-folder.ts";
import { eventually } from "../support/eventually.ts";
import { type IssuerEndpoint, startIssuerEndpoint } from "../support/issuer-endpoint.ts";
import { aliasArn, type LeasedDatabase } from "../support/leased-database.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "bin", "mayfly.ts");

/** Two leases: who reads one of them does not keep the other fresh. */
const LOGINS = { secret: "orders/secret", file: "orders/file" } as const;

/** For how long programs keep what they have read. Unit: seconds. */
const CLIENT_CACHE_SECONDS = 2;

/** The SDKs want a Region and keys; nobody looks at them. */
const AWS = {
  AWS_REGION: "eu-west-1",
  // boto3's
  AWS_DEFAULT_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "none",
  AWS_SECRET_ACCESS_KEY: "none",
  AWS_EC2_METADATA_DISABLED: "true",
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** `mayfly agent` in a process of its own, with Secrets Manager's port and files. */
export class Agent {
  readonly #folder: string;
  readonly #port: number;
  readonly #undo: readonly (() => Promise<unknown>)[];
  readonly #seen = new Set<string>();

  /** The agent of a database, whose server has a certificate of `ca`. The caller closes it. */
  static async start(database: LeasedDatabase, ca: string): Promise<Agent> {
    const { path: folder, remove } = tempFolder("agent");
    const issuer = await startIssuerEndpoint(database);
    const agent = new Agent(folder, await freePort(), ca, issuer, [
      () => Promise.resolve(remove()),
      () => issuer.stop(),
    ]);
    try {
      const files = ["token", "login.json", "db-creds.txt"].map(agent.#inFolder);
      const isWritten = (): boolean => files.every((path) => existsSync(path));
      await eventually(isWritten, { within: 60_000 });
      return agent;
    } catch (cause) {
      await agent.close();
      throw new Error("the agent wrote no files", { cause });
    }
  }

  private constructor(
    folder: string,
    port: number,
    ca: string,
    issuer: IssuerEndpoint,
    undo: readonly (() => Promise<unknown>)[],
  ) {
    this.#folder = folder;
    const inFolder = this.#inFolder;
    writeFileSync(inFolder("ca.pem"), ca);
    const arn = aliasArn("user-service--readonly");
    const configuration = {
      leases: {
        [LOGINS.secret]: { arn },
        [LOGINS.file]: { arn, secretName: false },
      },
      files: [
        { path: inFolder("login.json"), from: LOGINS.secret, format: "json" },
        { path: inFolder("db-creds.txt"), from: LOGINS.file, format: "lines" },
      ],
      secretsManager: {
        port,
        tokenFile: inFolder("token"),
        clientCache: `${CLIENT_CACHE_SECONDS}s`,
      },
      state: inFolder("state"),
      ca: inFolder("ca.pem"),
      grace: "1s",
    };
    writeFileSync(inFolder("agent.json"), JSON.stringify(configuration));
    const args = ["agent", "--config", inFolder("agent.json")];
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      env: { ...process.env, ...AWS, AWS_ENDPOINT_URL_LAMBDA: issuer.url },
      stdio: ["ignore", "inherit", "pipe"],
    });
    const said: string[] = [];
    child.stderr.on("data", (chunk) => said.push(String(chunk)));
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    this.#undo = [
      ...undo,
      () => {
        if (child.exitCode !== null)
          console.log(`the agent ended with ${child.exitCode}: ${said.join("").slice(-2_000)}`);
        child.kill("SIGTERM");
        return ended;
      },
    ];
    this.#port = port;
  }

  /** For programs: how they find what the agent hands out. */
  get env(): Readonly<Record<string, string>> {
    const token = readFileSync(this.#inFolder("token"), "utf8").trim();
    const endpoint = `http://127.0.0.1:${this.#port}/${token}`;
    const jdbc = { vpcEndpointUrl: endpoint, vpcEndpointRegion: AWS.AWS_REGION };
    return {
      ...AWS,
      SECRET_ID: LOGINS.secret,
      CLIENT_CACHE_SECONDS: String(CLIENT_CACHE_SECONDS),
      AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint,
      AWS_SECRETSMANAGER_ENDPOINT: endpoint,
      // its SDK is older than the variable
      JDK_JAVA_OPTIONS: Object.entries(jdbc)
        .map(([name, value]) => `-Ddrivers.${name}=${value}`)
        .join(" "),
      SECRETS_PORT: String(this.#port),
      SECRETS_TOKEN: token,
      CREDENTIALS_FILE: this.#inFolder("db-creds.txt"),
      PGSSLMODE: "verify-full",
      PGSSLROOTCERT: this.#inFolder("ca.pem"),
    };
  }

  readonly #inFolder = (name: string): string => join(this.#folder, name);

  /** How often the lease of Secrets Manager's port was replaced, as far as was looked. */
  get changes(): number {
    const { username } = JSON.parse(readFileSync(this.#inFolder("login.json"), "utf8")) as {
      username: string;
    };
    this.#seen.add(username);
    return this.#seen.size - 1;
  }

  async close(): Promise<void> {
    for (const step of this.#undo.toReversed()) await step();
  }
}
