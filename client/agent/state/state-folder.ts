import { randomUUID } from "node:crypto";
import { lstatSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { milliseconds } from "../../../core/time.ts";
import { listen, TakenError } from "../../proxy/listener.ts";
import type { ClientTime } from "../../time.ts";
import { WholeFile } from "../files/whole-file.ts";

/** Wrong use, or a folder that cannot be used: the value and the remedy, in 160 characters. */
export class StateError extends Error {
  override readonly name = "StateError";
}

/**
 * What an agent remembers: of each lease the idempotency key. It is written before the lease is
 * asked for, so that an agent that was killed at any moment finds its leases.
 */
export interface AgentState extends AsyncDisposable {
  /** The keys of leases: those that are remembered, and new ones. @throws StateError */
  keysOf(logins: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** The lease was revoked. @throws StateError */
  forget(login: string): Promise<void>;
}

/** The lock: nobody listens to what a killed agent leaves behind. */
const LOCK = "agent.lock";
const KEYS = "keys.json";
/** Two agents that meet the lock of a killed one at the same time see each other after this. */
const LOCK_SETTLES = milliseconds(200);

/**
 * Take a state folder, of mode 0700. It is made if there is none.
 *
 * @throws StateError if another agent has it, or it cannot be used.
 */
export async function takeStateFolder(folder: string, time: ClientTime): Promise<AgentState> {
  const release = await lock(folder, time);
  try {
    return new KeptState(join(folder, KEYS), await readKeys(join(folder, KEYS)), release);
  } catch (error) {
    await release();
    throw error;
  }
}

/** @returns how to give it back. */
async function lock(folder: string, time: ClientTime): Promise<() => Promise<void>> {
  const path = join(folder, LOCK);
  const wasLocked = inodeOf(path) !== undefined;
  const server = createServer((socket) => socket.destroy());
  const release = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
    });
  try {
    await listen(server, { socketFolder: folder, socketName: LOCK });
  } catch (error) {
    throw new StateError(
      error instanceof TakenError
        ? `another agent has the state folder ${shortened(folder)}; stop it, or name another folder`
        : `state: ${(error as Error).message}`,
      { cause: error },
    );
  }
  if (!wasLocked) return release;
  const own = inodeOf(path);
  await time.wait(LOCK_SETTLES);
  if (own !== undefined && inodeOf(path) === own) return release;
  throw new StateError(
    `another agent took the state folder ${shortened(folder)} at the same time; stop one of them`,
  );
}

/** Undefined: there is none, or nobody can see it, and listening there says why. */
function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path).ino;
  } catch {
    return undefined;
  }
}

const shortened = (path: string): string => (path.length <= 50 ? path : `…${path.slice(-49)}`);

type Keys = Readonly<Record<string, string>>;

/** What is no file of ours is not taken for one: an agent without its keys makes second users. */
async function readKeys(path: string): Promise<Keys> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new StateError(
      `${shortened(path)} cannot be read (${(error as NodeJS.ErrnoException).code}); remove it, or name another state folder`,
      { cause: error },
    );
  }
  try {
    const value: unknown = JSON.parse(text);
    const keys = (value as { readonly keys?: unknown } | null)?.keys;
    if (isKeys(keys)) return keys;
  } catch {
    // the same remedy
  }
  throw new StateError(`${shortened(path)} has no keys of leases in it; remove it`);
}

const isKeys = (keys: unknown): keys is Keys =>
  typeof keys === "object" &&
  keys !== null &&
  Object.values(keys).every((key) => typeof key === "string" && /^[\x20-\x7e]{1,128}$/.test(key));

class KeptState implements AgentState {
  readonly #file: WholeFile;
  readonly #keys: Map<string, string>;
  readonly #release: () => Promise<void>;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(path: string, keys: Keys, release: () => Promise<void>) {
    this.#file = new WholeFile({ path, mode: 0o600, owner: undefined, isFollowed: false });
    this.#keys = new Map(Object.entries(keys));
    this.#release = release;
  }

  async keysOf(logins: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const unknown = logins.filter((login) => !this.#keys.has(login));
    for (const login of unknown) this.#keys.set(login, randomUUID());
    if (unknown.length > 0) await this.#write();
    return new Map(logins.map((login) => [login, this.#keys.get(login) ?? ""]));
  }

  async forget(login: string): Promise<void> {
    if (this.#keys.delete(login)) await this.#write();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => {}); // whoever wrote was told
    await this.#release();
  }

  #write(): Promise<void> {
    const result = this.#writing.catch(() => {}).then(() => this.#writeNow());
    this.#writing = result;
    return result;
  }

  async #writeNow(): Promise<void> {
    try {
      await this.#file.write(`${JSON.stringify({ keys: Object.fromEntries(this.#keys) })}\n`);
    } catch (error) {
      throw new StateError(`state: ${(error as Error).message}`, { cause: error });
    }
  }
}
