import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "../support/eventually.ts";

/** A line of the agent's log. */
export interface Told {
  readonly event: string;
  readonly message: string;
  readonly login?: string;
  readonly what?: string;
  readonly at?: string;
  /** All of it, as it was written. */
  readonly text: string;
}

export interface AgentStart {
  /** The one file. */
  readonly program: string;
  /** Options of Node. @default - none: it starts itself again with those that it needs */
  readonly flags?: readonly string[];
  /** Where its configuration and its tokens are written. */
  readonly folder: string;
  readonly configuration: object;
  readonly env: Readonly<Record<string, string>>;
}

/** The agent in a process of its own. */
export class AgentProcess {
  readonly told: Told[] = [];
  readonly pid: number;
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #folder: string;

  constructor({ program, flags = [], folder, configuration, env }: AgentStart) {
    this.#folder = folder;
    const file = join(folder, "agent.json");
    writeFileSync(file, JSON.stringify(configuration));
    const args = [...flags, program, "--config", file, "--json"];
    this.#child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    this.pid = this.#child.pid ?? 0;
    const { stderr } = this.#child;
    if (stderr !== null) createInterface(stderr).on("line", (line) => this.told.push(told(line)));
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** @returns its exit status. */
  async end(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    this.signal(signal);
    return this.ended;
  }

  /** The first line of an event whose text fits. */
  line(event: string, words = /(?:)/): Told | undefined {
    return this.told.find((each) => each.event === event && words.test(each.text));
  }

  /** @throws Error with what the agent said if there is none in a minute. */
  async hears(event: string, words?: RegExp): Promise<Told> {
    try {
      return await eventually(() => this.line(event, words));
    } catch (cause) {
      const said = this.told.map(({ text }) => text).join("\n");
      throw new Error(`the agent did not tell "${event}" ${words}, but:\n${said}`, { cause });
    }
  }

  /** A port that it opened. */
  async portOf(what: string, login?: string): Promise<number> {
    const open = await eventually(() =>
      this.told.find(
        (each) => each.event === "port-open" && each.what === what && each.login === login,
      ),
    );
    return Number(/port (\d+)/.exec(open.at ?? "")?.[1]);
  }

  async ask(path: string): Promise<Response> {
    const port = await this.portOf("health");
    const token = readFileSync(join(this.#folder, "health-token"), "utf8").trim();
    return fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
  }

  /** The value of a metric, with its labels as the text has them. */
  async metric(name: string): Promise<number> {
    const text = await (await this.ask("/metrics")).text();
    const line = text.split("\n").find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  }
}

function told(line: string): Told {
  try {
    return { ...(JSON.parse(line) as Omit<Told, "text">), text: line };
  } catch {
    return { event: "words", message: line, text: line };
  }
}
