import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
/** Not in node/node_modules, which npm empties. */
const cache = join(here, "node_modules", ".cache");

/** Why clients of a kit cannot run here. */
export class MissingTool extends Error {
  override readonly name = "MissingTool";
}

/** @throws MissingTool with the end of what it printed. */
function run(folder: string, env: NodeJS.ProcessEnv, command: string, ...args: string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: join(here, folder),
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  if (error !== undefined) throw new MissingTool(`there is no ${command}`);
  if (status === 0) return;
  const said = `${stdout}${stderr}`.trim().split("\n").slice(-3).join(" ");
  throw new MissingTool(`${command} ${args[0]} failed: ${said}`);
}

/** What clients of one language need. */
export interface Kit {
  /** In words, for who does not have it. */
  readonly needs: string;
  /** Install. Takes minutes the first time. @throws MissingTool */
  readonly install: () => void;
  /** The command that runs one of its programs. */
  readonly command: (program: string) => readonly string[];
}

const python = join(cache, "python");
const jars = join(cache, "java", "jars");
const classes = join(cache, "java", "classes");
const binaries = join(cache, "go");

const changed = (file: string): number =>
  statSync(join(here, "node", file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const isUpToDate = changed("node_modules/.package-lock.json") > changed("package-lock.json");

export const KITS = {
  /** Installed by whoever has them, as Debian's postgresql-client and postgresql-contrib. */
  postgresql: {
    needs: "PostgreSQL's client programs",
    install: () => {
      for (const program of ["psql", "pgbench", "pg_dump"]) run(".", {}, program, "--version");
    },
    command: (program) => [process.execPath, join(here, "repeat.ts"), program],
  },
  python: {
    needs: "Python 3.10 or later, with venv and pip",
    install: () => {
      mkdirSync(cache, { recursive: true });
      run("python", {}, "python3", "-m", "venv", python);
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
      run("python", {}, join(python, "bin", "python"), ...pip, "requirements.txt");
    },
    command: (program) => [join(python, "bin", "python"), join(here, "python", `${program}.py`)],
  },
  java: {
    needs: "a JDK of version 17 or later, and Maven",
    install: () => {
      rmSync(jars, { recursive: true, force: true });
      mkdirSync(classes, { recursive: true });
      const copy = ["dependency:copy-dependencies", `-DoutputDirectory=${jars}`];
      run("java", {}, "mvn", "--quiet", "--batch-mode", ...copy);
      const sources = ["Report", "HikariClient", "FlywayClient", "SecretsClient"].map(
        (name) => `${name}.java`,
      );
      run("java", {}, "javac", "-d", classes, "-cp", join(jars, "*"), ...sources);
    },
    command: (program) => ["java", "-Xmx128m", "-cp", `${classes}:${join(jars, "*")}`, program],
  },
  go: {
    needs: "Go 1.25 or later",
    install: () => {
      mkdirSync(binaries, { recursive: true });
      run("go", {}, "go", "build", "-o", `${binaries}/`, "./cmd/...");
    },
    command: (program) => [join(binaries, program)],
  },
  "caching-go": {
    needs: "Go 1.25 or later",
    install: () => run("caching-go", {}, "go", "build", "-o", join(binaries, "caching"), "."),
    command: (program) => [join(binaries, program)],
  },
  /** A large part of Kubernetes is compiled with it. */
  "external-secrets": {
    needs: "Go 1.25 or later, and at first some minutes more",
    install: () => run("external-secrets", {}, "go", "build", "-o", `${binaries}/`, "."),
    // its store is the example's
    command: (program) => [
      join(binaries, program),
      join(here, "../../examples/external-secrets/external-secret.yaml"),
    ],
  },
  node: {
    needs: "npm",
    install: () => {
      if (!isUpToDate) run("node", {}, "npm", "ci", "--ignore-scripts");
      // a program that only migrations need, and that would be fetched from elsewhere
      const env = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath };
      run("node", env, process.execPath, "node_modules/prisma/build/index.js", "generate");
    },
    command: (program) => [process.execPath, join(here, "node", `${program}.mjs`)],
  },
} as const satisfies Readonly<Record<string, Kit>>;
