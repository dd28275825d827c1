import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { seededRandom } from "../support/virtual-time.ts";
import type { AgentProcess } from "./agent-process.ts";
import { type Case, check, LEASE, type Leases, type Row, type Stage } from "./stage.ts";

/** An agent that writes a file, with a command after it, and is killed. */
class Scene {
  readonly leases: Leases;
  readonly folder: string;
  readonly file: string;
  readonly state: string;
  /** A line for each start of the command. */
  readonly ran: string;
  readonly #command: string;

  constructor(leases: Leases, folder: string, command = "") {
    this.leases = leases;
    this.folder = folder;
    mkdirSync(join(folder, "db"));
    this.file = join(folder, "db", "orders.json");
    this.state = join(folder, "state");
    this.ran = join(folder, "ran");
    this.#command = `echo ran >> ${this.ran}; ${command}`;
  }

  configuration(extra: object = {}): object {
    const onChange = { command: ["sh", "-c", this.#command], timeout: "30s" };
    return {
      leases: { orders: LEASE },
      files: [{ path: this.file, from: "orders", format: "json", onChange, ...extra }],
      state: this.state,
    };
  }

  start(extra?: object, env?: Readonly<Record<string, string>>): AgentProcess {
    const options = env === undefined ? {} : { env };
    return this.leases.start(this.folder, this.configuration(extra), options);
  }

  /** Undefined: there is no file. @throws Error if it is not whole. */
  row(): Row | undefined {
    return existsSync(this.file) ? (JSON.parse(readFileSync(this.file, "utf8")) as Row) : undefined;
  }

  /** The key that the agent remembers. */
  key(): string | undefined {
    const file = join(this.state, "keys.json");
    if (!existsSync(file)) return undefined;
    const { keys } = JSON.parse(readFileSync(file, "utf8")) as {
      keys: Readonly<Record<string, string>>;
    };
    return keys.orders;
  }

  runs(): number {
    return existsSync(this.ran) ? readFileSync(this.ran, "utf8").trim().split("\n").length : 0;
  }

  hasMark(): boolean {
    return existsSync(join(dirname(this.file), `.${basename(this.file)}.mayfly-changed`));
  }

  leftovers(): readonly string[] {
    return readdirSync(dirname(this.file)).filter((name) => name.includes(".mayfly-new-"));
  }

  /**
   * The agent after the one that was killed: the file is whole and logs in, the command has run,
   * there is one user of the key, and none after a clean end.
   *
   * @param before the user that there was, if there was one.
   * @param replaced the user before that, which has its lease until it ends.
   */
  async recover(before: string | undefined, replaced?: string): Promise<string> {
    const runs = this.runs();
    const isOwed = this.hasMark() || this.row() === undefined;
    const agent = this.start();
    await agent.hears("port-open", /health/);
    await eventually(async () => (await agent.ask("/readyz")).status === 200);
    await eventually(() => !this.hasMark() && (!isOwed || this.runs() > runs));
    const row = this.row();
    if (row === undefined) throw new Error("there is no file");
    check((await this.leases.logIn(row)) === row.username, "the file logs in");
    check(this.leftovers().length === 0, "no temporary file is left");
    check(before === undefined || before === row.username, "it is the same user");
    const most = replaced === undefined ? 1 : 2;
    const users = await this.leases.usersBeside(row.username);
    check(users <= most, `there are at most ${most} users of the key, not ${users}`);
    check((await agent.end()) === 0, "it ends with 0");
    check(!(await this.leases.isUser(row.username)), "its lease is revoked");
    // nobody remembers the one that was replaced: its time ends it
    const isNone = async () => (await this.leases.usersBeside(row.username)) === 0;
    if (replaced === undefined) check(await isNone(), "there is no other");
    else await eventually(isNone, { within: 120_000 });
    return `the same user${isOwed ? ", and the command that was owed ran" : ""}`;
  }
}

/** A case that kills the first agent of a scene. */
const killed = (
  name: string,
  kill: (scene: Scene) => Promise<string | undefined>,
  command?: string,
): Case => ({
  name: `kill -9: ${name}`,
  run: async (stage: Stage) => {
    const scene = new Scene(stage.lasting, stage.folder(), command);
    try {
      return await scene.recover(await kill(scene));
    } finally {
      scene.leases.issuer.watch = {};
    }
  },
});

const kill = async (agent: AgentProcess): Promise<void> => {
  agent.signal("SIGKILL");
  await agent.ended;
};

/** Kill when a name that fits appears in a folder, at once. @returns whether it did. */
async function killAtName(agent: AgentProcess, folder: string, fits: RegExp): Promise<void> {
  const watcher = watch(folder, (_, name) => {
    if (fits.test(name ?? "")) agent.signal("SIGKILL");
  });
  await Promise.race([agent.ended, wait(60_000)]);
  watcher.close();
  await kill(agent);
}

const usernameIn = (payload: unknown): string =>
  String((payload as { readonly username?: unknown }).username);

const beforeKey = killed("before the key is written", async (scene) => {
  // who reads a pipe waits for a writer
  mkdirSync(scene.state, { mode: 0o700 });
  const pipe = join(scene.state, "keys.json");
  check(spawnSync("mkfifo", ["-m", "600", pipe]).status === 0, "mkfifo makes a pipe");
  const calls = scene.leases.issuer.calls.length;
  const agent = scene.start();
  // fails until the agent waits
  const writer = await eventually(() => openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK));
  await kill(agent);
  closeSync(writer);
  rmSync(pipe);
  check(scene.leases.issuer.calls.length === calls, "nothing was issued");
  return undefined;
});

const beforeIssue = killed("after the key, before the issue", async (scene) => {
  // the SDK asks for credentials first, and this server gives none
  const asked = Promise.withResolvers<void>();
  const server = createServer(() => asked.resolve());
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const { calls } = scene.leases.issuer;
  const count = calls.length;
  const uri = `http://127.0.0.1:${port}/credentials`;
  const agent = scene.start({}, { AWS_CONTAINER_CREDENTIALS_FULL_URI: uri });
  await asked.promise;
  await kill(agent);
  server.closeAllConnections();
  server.close();
  check(calls.length === count, "nothing was issued");
  const key = scene.key();
  check(key !== undefined, "the key is written");
  scene.leases.issuer.watch = {
    before: ({ action, idempotencyKey }) =>
      check(action !== "issue" || idempotencyKey === key, "the key is asked with again"),
  };
  return undefined;
});

/** Nobody hears the answer. */
const duringIssue = (name: string, when: "before" | "after"): Case =>
  killed(name, async (scene) => {
    const { issuer } = scene.leases;
    const [asked, go] = [Promise.withResolvers<unknown>(), Promise.withResolvers<void>()];
    const issued = Promise.withResolvers<unknown>();
    issuer.watch = {
      before: async () => {
        if (when !== "before") return;
        asked.resolve(undefined);
        await go.promise;
      },
      after: async (payload) => {
        issued.resolve(payload);
        if (when === "after") asked.resolve(undefined);
        await go.promise;
      },
    };
    const agent = scene.start();
    await asked.promise;
    await kill(agent);
    issuer.watch = {};
    go.resolve();
    const username = usernameIn(await issued.promise);
    check(await scene.leases.isUser(username), "the lease is there, and nobody has it");
    check(scene.row() === undefined, "there is no file");
    return username;
  });

const beforeFile = killed("after the issue, before the file", async (scene) => {
  let username = "";
  const agent = scene.start();
  scene.leases.issuer.watch = {
    after: (payload) => {
      username = usernameIn(payload);
    },
    sent: () => agent.signal("SIGKILL"),
  };
  await agent.ended;
  scene.leases.issuer.watch = {};
  check(scene.row() === undefined && scene.leftovers().length === 0, "it wrote nothing yet");
  return username;
});

/** So much that writing it takes longer than it takes to hear that it is written. */
const LARGE = { format: undefined, contents: `{{username}}${" ".repeat(3_000_000)}` };

const beforeRename = killed("between temporary file and rename", async (scene) => {
  const agent = scene.start(LARGE);
  await killAtName(agent, dirname(scene.file), /\.mayfly-new-/);
  check(scene.leftovers().length === 1, "there is a temporary file");
  check(!existsSync(scene.file), "there is no file");
  return undefined;
});

const beforeCommand = killed("after the file, before its command", async (scene) => {
  const agent = scene.start();
  await killAtName(agent, dirname(scene.file), /^orders\.json$/);
  check(scene.hasMark() && scene.runs() === 0, "the command has not run");
  return scene.row()?.username;
});

const duringCommand = killed(
  "while the command runs",
  async (scene) => {
    const agent = scene.start();
    await eventually(() => scene.runs() === 1, { every: 5 });
    await kill(agent);
    check(scene.hasMark(), "the command is still owed");
    return scene.row()?.username;
  },
  "sleep 1",
);

const duringRevocation: Case = {
  name: "kill -9: when its lease is revoked, before it hears that",
  run: async ({ lasting, folder }) => {
    const scene = new Scene(lasting, folder());
    const agent = scene.start();
    await agent.hears("file-written");
    const username = scene.row()?.username ?? "";
    lasting.issuer.watch = { after: () => agent.signal("SIGKILL") };
    agent.signal("SIGINT");
    await agent.ended;
    lasting.issuer.watch = {};
    check(username !== "" && !(await lasting.isUser(username)), "the lease is revoked");
    check(scene.key() !== undefined, "its key is remembered");
    await scene.recover(undefined);
    return "another user of the same key, alone";
  },
};

const duringReplacement: Case = {
  name: "kill -9: while a lease is replaced",
  run: async ({ short, folder }) => {
    const scene = new Scene(short, folder());
    const [asked, go] = [Promise.withResolvers<unknown>(), Promise.withResolvers<void>()];
    let issued = 0;
    short.issuer.watch = {
      after: async (payload) => {
        if ((payload as { username?: unknown }).username === undefined) return; // a renewal
        issued += 1;
        if (issued < 2) return;
        asked.resolve(payload);
        await go.promise;
      },
    };
    const agent = scene.start();
    const next = usernameIn(await asked.promise);
    const old = scene.row()?.username;
    await kill(agent);
    short.issuer.watch = {};
    go.resolve();
    check(old !== undefined && old !== next, "there is a next lease");
    check(scene.row()?.username === old, "the file is the old one, whole");
    await scene.recover(next, old);
    return "the old file, then the next lease, and no third; the old one ends in its time";
  },
};

/** How many agents are killed at any moment. */
const ROUNDS = Number(process.env.MAYFLY_AGENT_KILLS ?? 30);

const atRandom: Case = {
  name: "kill -9: at any moment",
  run: async ({ lasting, folder }) => {
    const seed = Number(process.env.MAYFLY_AGENT_SEED ?? Date.now() % 1_000_000);
    const random = seededRandom(seed);
    const scene = new Scene(lasting, folder());
    const users = new Set<string>();
    const found = { none: 0, old: 0, new: 0, owed: 0, torn: 0 };
    let last = "none";
    let longest = 3_000;
    for (let round = 1; round <= ROUNDS; round++) {
      // each agent has other content to write
      const contents = `round ${round} {{username}} {{password}} ${"-".repeat(50_000)} end\n`;
      const from = performance.now();
      const agent = scene.start({ format: undefined, contents });
      await Promise.race([wait(random() * longest), agent.ended]);
      const isWritten = agent.line("file-written") !== undefined;
      await kill(agent);
      // as long as it takes to write, and to run the command
      if (isWritten) longest = Math.min(longest, performance.now() - from + 300);
      const text = existsSync(scene.file) ? readFileSync(scene.file, "utf8") : undefined;
      const [, of = "none", username] =
        /^round (\d+) (mf_\S+) \S+ -{50000} end\n$/.exec(text ?? "") ?? [];
      check(text === undefined || of !== "none", `round ${round}, seed ${seed}: the file is whole`);
      const isNew = of === String(round);
      check(isNew || of === last, `round ${round}, seed ${seed}: the file is the old or the new`);
      found[text === undefined ? "none" : isNew ? "new" : "old"] += 1;
      if (scene.hasMark()) found.owed += 1;
      if (scene.leftovers().length > 0) found.torn += 1;
      if (username !== undefined) users.add(username);
      last = of;
    }
    check(found.new > 0, `seed ${seed}: some agents wrote the file; they had ${longest} ms`);
    check(users.size === 1, `seed ${seed}: one user, not ${users.size}`);
    await scene.recover([...users][0]);
    return `${ROUNDS} agents, seed ${seed}: ${found.new} times the new file, ${found.old} the old, ${found.none} none yet; ${found.owed} times a command was owed, ${found.torn} a temporary file left; one user`;
  },
};

export const KILLS: readonly Case[] = [
  beforeKey,
  beforeIssue,
  duringIssue("during the issue, before there is a lease", "before"),
  duringIssue("during the issue, when there is one", "after"),
  beforeFile,
  beforeRename,
  beforeCommand,
  duringCommand,
  duringRevocation,
  duringReplacement,
  atRandom,
];
