import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { tempFolder } from "../../../local/temp-folder.ts";
import { eventually } from "../../support/eventually.ts";
import { startIssuerEndpoint } from "../../support/issuer-endpoint.ts";
import { aliasArn, type LeasedDatabase } from "../../support/leased-database.ts";
import { read, root } from "../../support/pages.ts";

/** In its log. */
const PROXY_AT = /proxy is at 127\.0\.0\.1, port (\d+)/;

interface Example {
  leases: Record<string, { arn: string; proxy: { port: number; passwordFile: string } }>;
  files: { path: string; from: string; format: string; mode?: string }[];
  health: { port: number };
  ca?: string;
  grace?: string;
}

/** The words of the unit's line, with what stands elsewhere on this machine. */
function commandOf(unit: string, configuration: string): readonly string[] {
  const [, line = ""] = /^ExecStart=(.+)$/m.exec(unit) ?? [];
  const here: Readonly<Record<string, string>> = {
    "/usr/bin/node": process.execPath,
    "/opt/mayfly/mayfly-agent.mjs": join(root, "bin", "mayfly-agent.ts"),
    "/etc/mayfly/agent.json": configuration,
  };
  const words = line.split(" ");
  const missing = Object.keys(here).filter((word) => !words.includes(word));
  if (missing.length > 0) throw new Error(`ExecStart has no ${missing.join(", ")}`);
  return words.map((word) => here[word] ?? word);
}

/** The agent of examples/systemd, as its unit starts it. The caller closes it. */
export class UnitAgent {
  /** The file that its `agent.json` asks for, and one more for programs that read JSON. */
  readonly paths: Readonly<Record<"env" | "json" | "ca", string>>;
  readonly #password: string;
  readonly #child: ChildProcess;
  readonly #undo: readonly (() => unknown)[];
  readonly #said: string[] = [];

  static async start(database: LeasedDatabase, ca: string): Promise<UnitAgent> {
    const { path: folder, remove } = tempFolder("unit-agent");
    const issuer = await startIssuerEndpoint(database);
    const agent = new UnitAgent(folder, ca, issuer.url, [remove, () => issuer.stop()]);
    try {
      const { env, json, ca: authorities } = agent.paths;
      await eventually(() => [env, json, authorities].every(existsSync), { within: 120_000 });
      await agent.connect();
      return agent;
    } catch (cause) {
      await agent.close();
      throw new Error(`the agent hands nothing out: ${agent.#said.join("").slice(-2_000)}`, {
        cause,
      });
    }
  }

  private constructor(
    folder: string,
    ca: string,
    issuer: string,
    undo: readonly (() => unknown)[],
  ) {
    const inFolder = (name: string): string => join(folder, name);
    const text = read("examples/systemd/agent.json").replaceAll("/run/mayfly/", `${folder}/`);
    const example = JSON.parse(text) as Example;
    const [from = ""] = Object.keys(example.leases);
    const lease = example.leases[from];
    if (lease !== undefined) {
      lease.arn = aliasArn("user-service--readonly");
      lease.proxy.port = 0;
    }
    this.#password = lease?.proxy.passwordFile ?? "";
    this.paths = {
      env: example.files[0]?.path ?? "",
      json: inFolder("orders.json"),
      ca: inFolder("ca.pem"),
    };
    example.files.push({ path: this.paths.json, from, format: "json" });
    example.files.push({ path: this.paths.ca, from, format: "ca" });
    example.health.port = 0;
    example.ca = inFolder("authorities.pem");
    example.grace = "1s";
    writeFileSync(example.ca, ca);
    mkdirSync(inFolder("etc"));
    const configuration = join(folder, "etc", "agent.json");
    writeFileSync(configuration, JSON.stringify(example));
    const unit = read("examples/systemd/mayfly-agent.service");
    const [file = "", ...args] = commandOf(unit, configuration);
    const env = {
      ...process.env,
      AWS_ENDPOINT_URL_LAMBDA: issuer,
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "none",
      AWS_SECRET_ACCESS_KEY: "none",
    };
    this.#child = spawn(file, args, { env, stdio: ["ignore", "inherit", "pipe"] });
    this.#child.stderr?.on("data", (chunk) => this.#said.push(String(chunk)));
    this.#undo = undo;
  }

  /** @throws Error if the proxy, with its local password, leads to no database. */
  async connect(): Promise<void> {
    const [, port] = await eventually(() => PROXY_AT.exec(this.#said.join("")) ?? undefined);
    const password = readFileSync(this.#password, "utf8").trim();
    const at = { host: "127.0.0.1", port: Number(port), user: "any", database: "any" };
    const client = new pg.Client({ ...at, password });
    await client.connect();
    await client.query("select count(*) from public.orders");
    await client.end();
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    if (this.#child.exitCode === null && this.#child.kill("SIGTERM")) await ended;
    for (const step of this.#undo.toReversed()) await step();
  }
}
