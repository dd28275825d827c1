import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../../support/pages.ts";
import { MissingTool } from "../kits.ts";

/** Compile examples/go-file. @throws MissingTool */
export function buildGoFile(program: string): void {
  const { error, status, stderr } = spawnSync("go", ["build", "-o", program, "."], {
    cwd: join(root, "examples", "go-file"),
    encoding: "utf8",
  });
  if (error !== undefined) throw new MissingTool("there is no go");
  if (status !== 0) throw new MissingTool(`go build failed: ${stderr.slice(-500)}`);
}

/** examples/go-file, which says once a second who it is at the database. */
export class GoFile {
  readonly failed: string[] = [];
  readonly #users = new Set<string>();
  readonly #child: ChildProcess;
  statements = 0;

  /** @param files of the format json, and the authorities of the server */
  constructor(program: string, files: readonly [login: string, authorities: string]) {
    this.#child = spawn(program, files, { stdio: ["ignore", "pipe", "inherit"] });
    if (this.#child.stdout !== null)
      createInterface(this.#child.stdout).on("line", (line) => this.#read(line));
  }

  get isReady(): boolean {
    return this.#users.size > 0;
  }

  get users(): readonly string[] {
    return [...this.#users];
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    if (this.#child.exitCode === null && this.#child.kill()) await ended;
  }

  #read(line: string): void {
    const [word = "", rest = ""] = line.split(/ (.*)/s);
    if (word === "failed") this.failed.push(rest);
    else {
      this.statements += 1;
      this.#users.add(word);
    }
  }
}
