import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { KITS } from "./kits.ts";

/** A driver, an ORM or a program, and how it is run. */
export interface Client {
  /** As its users call it. */
  readonly name: string;
  readonly kit: keyof typeof KITS;
  readonly program: string;
  /** The role of its leases. @default readonly */
  readonly role?: "readonly" | "readwrite";
  /** It runs on a server of its own major version, since it refuses newer ones. */
  readonly ownMajor?: true;
  /** It keeps no connections that could rest. */
  readonly neverRests?: true;
  /** It connects by itself, with what the agent hands out. */
  readonly way?: "secrets" | "file";
  /** It reads its file without a pause, while leases change more often. */
  readonly readsOn?: true;
}

export const CLIENTS: readonly Client[] = [
  { name: "psql", kit: "postgresql", program: "psql", neverRests: true },
  { name: "pgbench", kit: "postgresql", program: "pgbench", neverRests: true },
  { name: "pg_dump", kit: "postgresql", program: "pg_dump", neverRests: true, ownMajor: true },
  { name: "psycopg", kit: "python", program: "psycopg_connect", neverRests: true },
  { name: "psycopg_pool", kit: "python", program: "psycopg_pool_client" },
  { name: "asyncpg", kit: "python", program: "asyncpg_client" },
  { name: "SQLAlchemy", kit: "python", program: "sqlalchemy_client" },
  { name: "Django", kit: "python", program: "django_client" },
  { name: "HikariCP", kit: "java", program: "HikariClient" },
  { name: "Flyway", kit: "java", program: "FlywayClient", role: "readwrite", neverRests: true },
  { name: "pgxpool", kit: "go", program: "pgxpool" },
  { name: "database/sql", kit: "go", program: "databasesql" },
  { name: "pg", kit: "node", program: "pg" },
  { name: "postgres.js", kit: "node", program: "postgres" },
  { name: "TypeORM", kit: "node", program: "typeorm" },
  { name: "Sequelize", kit: "node", program: "sequelize" },
  { name: "Prisma", kit: "node", program: "prisma" },
  {
    name: "boto3, aws-secretsmanager-caching",
    kit: "python",
    program: "caching_client",
    way: "secrets",
  },
  { name: "the extension's GET", kit: "python", program: "extension_client", way: "secrets" },
  {
    name: "HikariCP, aws-secretsmanager-jdbc",
    kit: "java",
    program: "SecretsClient",
    way: "secrets",
  },
  { name: "AWS SDK for Go, pgxpool", kit: "go", program: "secrets", way: "secrets" },
  { name: "aws-secretsmanager-caching-go", kit: "caching-go", program: "caching", way: "secrets" },
  {
    name: "External Secrets' provider",
    kit: "external-secrets",
    program: "external-secrets",
    way: "secrets",
  },
  {
    name: "AWS SDK for JavaScript, Sequelize",
    kit: "node",
    program: "sequelize-secrets",
    way: "secrets",
  },
  { name: "Go, a file of two lines", kit: "go", program: "tutorial", way: "file" },
  {
    name: "Python, a file in a loop",
    kit: "python",
    program: "file_client",
    way: "file",
    readsOn: true,
  },
];

/** Those that are called so; if none is, those with the word in their name. */
function clientsCalled(word: string): readonly Client[] {
  const called = CLIENTS.filter(({ name }) => name === word);
  if (called.length > 0) return called;
  return CLIENTS.filter(({ name }) => name.toLowerCase().includes(word.toLowerCase()));
}

/** Chosen by their names or by words of these. No words: all. */
export function clientsNamed(words: readonly string[]): readonly Client[] {
  const chosen = new Set(words.flatMap(clientsCalled));
  return CLIENTS.filter((client) => words.length === 0 || chosen.has(client));
}

/** A program that says what it does, as report.py, Report.java and the others do. */
export class RunningProgram {
  isReady = false;
  /** What failed so far, in the client's words. */
  readonly failed: string[] = [];
  statements = 0;
  /** Users that it was at the database, in the order in which it became them. */
  readonly users: string[] = [];
  readonly ended: Promise<void>;
  hasEnded = false;
  readonly #errors: string[] = [];

  constructor([command = "", ...args]: readonly string[], env: NodeJS.ProcessEnv) {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    createInterface(child.stdout).on("line", (line) => this.#read(line));
    createInterface(child.stderr).on("line", (line) => {
      // Java shows its options there, and the token with them
      if (!line.startsWith("NOTE: Picked up ")) this.#errors.push(line);
    });
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => this.failed.push(error.message));
      child.once("close", (status) => {
        this.hasEnded = true;
        if (status !== 0) this.failed.push(`it ended: ${this.#lastWords()}`);
        resolve();
      });
    });
  }

  /** Python says what it was at the end, Java at the beginning. */
  #lastWords(): string {
    const errors = this.#errors;
    return (errors.length > 8 ? [...errors.slice(0, 4), "…", ...errors.slice(-4)] : errors).join(
      " ",
    );
  }

  #read(line: string): void {
    const [word = "", rest = ""] = line.split(/ (.*)/s);
    if (word === "ready") this.isReady = true;
    else if (word === "user") this.users.push(rest);
    else if (word === "failed") this.failed.push(rest);
    else if (word === "done") {
      const [statements, users = ""] = rest.split(" ");
      this.statements = Number(statements);
      const others = users.split(",").filter((user) => user !== "" && !this.users.includes(user));
      this.users.push(...others);
    }
  }
}

/** A client that runs. */
export class RunningClient extends RunningProgram {
  readonly client: Client;

  constructor(client: Client, env: NodeJS.ProcessEnv) {
    super(KITS[client.kit].command(client.program), env);
    this.client = client;
  }
}
