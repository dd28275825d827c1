import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { KITS, MissingTool } from "../kits.ts";

const here = import.meta.dirname;
const clients = join(here, "..");
const cache = join(clients, "node_modules", ".cache");

/** @throws MissingTool with the end of what it printed. */
function run(cwd: string, command: string, ...args: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (error !== undefined) throw new MissingTool(`there is no ${command}`);
  if (status === 0) return;
  const said = `${stdout}${stderr}`.trim().split("\n").slice(-6).join(" ");
  throw new MissingTool(`${command} ${args[0]} failed: ${said}`);
}

/** How the programs of a page are made and started. */
export interface Language {
  readonly page: string;
  /** In words, for who does not have it. */
  readonly needs: string;
  /** Install, and compile with the page's files. @throws MissingTool */
  readonly prepare: (snippets: string) => void;
  readonly command: (program: string, snippets: string) => readonly string[];
  readonly env?: (snippets: string) => Readonly<Record<string, string>>;
  /** Those whose name begins with `retry` repeat what failed, so they see no failure. */
  readonly programs: readonly string[];
}

const jars = (of: string): string => join(cache, of, "jars");
const compileJava = (of: string, snippets: string, ...sources: readonly string[]): void => {
  const files = [join(clients, "java", "Report.java"), ...sources];
  run(snippets, "javac", "-d", join(snippets, of), "-cp", join(jars(of), "*"), ...files);
};
const startJava = (of: string, program: string, snippets: string): readonly string[] => {
  const path = [join(snippets, of), snippets, join(jars(of), "*")].join(":");
  return ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", path, program];
};

export const LANGUAGES: readonly Language[] = [
  {
    page: "docs/languages/node.md",
    needs: "npm ci",
    prepare: () => {},
    command: (program) => [process.execPath, join(here, "node", `${program}.mjs`)],
    programs: ["pool", "retry"],
  },
  {
    page: "docs/languages/python.md",
    needs: KITS.python.needs,
    prepare: KITS.python.install,
    command: (program) => {
      const [python = ""] = KITS.python.command(program);
      return [python, join(here, "python", `${program}.py`)];
    },
    env: (snippets) => ({ PYTHONPATH: `${join(clients, "python")}:${snippets}` }),
    programs: ["pool", "retry_pool", "alchemy", "asyncpg_task", "django_settings"],
  },
  {
    page: "docs/languages/java.md",
    needs: KITS.java.needs,
    prepare: (snippets) => {
      KITS.java.install();
      const pages = ["Orders.java", "Retry.java"];
      const ours = ["OrdersSnippet.java", "RetrySnippet.java"].map((name) =>
        join(here, "java", name),
      );
      compileJava("java", snippets, ...pages, ...ours);
    },
    command: (program, snippets) => startJava("java", program, snippets),
    programs: ["OrdersSnippet", "RetrySnippet"],
  },
  {
    page: "docs/languages/java.md",
    needs: KITS.java.needs,
    prepare: (snippets) => {
      const copy = ["dependency:copy-dependencies", `-DoutputDirectory=${jars("spring")}`];
      run(join(here, "spring"), "mvn", "--quiet", "--batch-mode", ...copy);
      compileJava("spring", snippets, join(here, "spring", "SpringSnippet.java"));
    },
    command: (program, snippets) => startJava("spring", program, snippets),
    programs: ["SpringSnippet"],
  },
  {
    page: "docs/languages/go.md",
    needs: KITS.go.needs,
    prepare: (snippets) => {
      for (const name of ["go.mod", "go.sum"])
        copyFileSync(join(clients, "go", name), join(snippets, name));
      cpSync(join(here, "go", "cmd"), join(snippets, "cmd"), { recursive: true });
      const internal = join(snippets, "internal");
      cpSync(join(clients, "go", "internal"), internal, { recursive: true });
      mkdirSync(join(internal, "orders"));
      for (const name of ["pool.go", "sql.go", "retry.go"])
        copyFileSync(join(snippets, name), join(internal, "orders", name));
      run(snippets, "go", "build", "-o", `${join(snippets, "bin")}/`, "./cmd/...");
    },
    command: (program, snippets) => [join(snippets, "bin", program)],
    programs: ["pool", "retry", "databasesql"],
  },
  {
    page: "docs/languages/ruby.md",
    needs: "Ruby with the gems pg and activerecord, as Debian's ruby-pg and ruby-activerecord",
    prepare: () => run(here, "ruby", "-e", 'require "pg"; require "active_record"'),
    command: (program) => ["ruby", join(here, "ruby", `${program}.rb`)],
    programs: ["rails", "rails_retry"],
  },
  {
    page: "docs/languages/php.md",
    needs: "PHP with pdo_pgsql and Laravel's database, as Debian's php-illuminate-database",
    prepare: () => {
      run(here, "php", "-r", 'exit(extension_loaded("pdo_pgsql") ? 0 : 1);');
      run(here, "php", "-r", 'require "Illuminate/Database/autoload.php";');
    },
    command: (program) => ["php", join(here, "php", `${program}.php`)],
    programs: ["requests", "requests_retry", "laravel"],
  },
];

/** Whether a program repeats what failed. */
export const repeats = (program: string): boolean => /retry/i.test(program);
