import { type Agent, type AgentOptions, startAgent } from "../../client/agent/agent.ts";
import type { AgentTold } from "../../client/agent/agent-events.ts";
import type { AgentConfiguration } from "../../client/agent/configuration.ts";
import type { FileOutlet } from "../../client/agent/files/file-outlet.ts";
import { parseConfiguration } from "../../client/agent/parse-configuration.ts";
import type { Publication } from "../../client/agent/publication.ts";
import { KeeperError } from "../../client/keeper/errors.ts";
import type { LeaseSource } from "../../client/keeper/sources/lease-source.ts";
import { ServerUnreachable } from "../../client/proxy/server-login.ts";
import { hours, type Instant, milliseconds } from "../../core/time.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { seededRandom, VirtualWorld } from "./virtual-time.ts";

const START = Date.UTC(2027, 0, 11, 9) as Instant;

export const arnOf = (name: string): string =>
  `arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--${name}`;

/** A file in memory. */
export interface MemoryFile extends FileOutlet {
  readonly usernames: readonly string[];
}

/** An agent without a database, whose time is moved. */
export class AgentWorld {
  readonly world = new VirtualWorld(START);
  readonly machine = this.world.laptop();
  /** By the role's name. */
  readonly issuers = new Map<string, FakeIssuer>();
  readonly told: { readonly login: string | undefined; readonly event: AgentTold }[] = [];
  readonly files: MemoryFile[] = [];
  /** What Secrets Manager's port has. */
  secrets: ReadonlyMap<string, Publication> = new Map();
  /** Whether ports may be opened. */
  isPortFree = true;

  issuer(name: string): FakeIssuer {
    const known = this.issuers.get(name);
    if (known !== undefined) return known;
    const made = new FakeIssuer(this.world, { ttl: hours(1), maxTtl: hours(24) });
    this.issuers.set(name, made);
    return made;
  }

  start(written: object, options: Partial<AgentOptions> = {}): Promise<Agent> {
    const configuration: AgentConfiguration = parseConfiguration(written, {
      environment: {},
      readTemplate: () => "",
    });
    return this.result(
      startAgent({
        configuration,
        leases: (arn): LeaseSource => this.issuer(arn.split("--")[1] ?? ""),
        secrets: () => {
          throw new KeeperError("absent", "no secrets here");
        },
        servers: {
          logIn: () => Promise.reject(new ServerUnreachable("no server here")),
          cancel: () => Promise.resolve(),
          probe: () => Promise.resolve(false),
        },
        applicationName: "agent-world",
        time: this.machine,
        random: seededRandom(3),
        randomBytes: (bytes) => Buffer.alloc(bytes, 7),
        startFile: async ({ file, publications }) => this.#file(file.path, publications),
        authoritiesOf: () => "",
        makeChanges: () => ({ follow: async () => {}, [Symbol.asyncDispose]: async () => {} }),
        startSecretsPort: async ({ secrets }) => {
          if (!this.isPortFree) throw new Error("port 2773 is taken; choose another");
          this.secrets = secrets;
          return { port: 2_773, [Symbol.asyncDispose]: async () => {} };
        },
        onEvent: (event, login) => this.told.push({ login, event }),
        ...options,
      }),
    );
  }

  /** What an attempt brings that waits for time and for the disk. */
  async result<T>(attempt: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    attempt.then(over, over);
    while (!isOver) {
      await this.world.run(milliseconds(20));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return attempt;
  }

  /** The kinds of what was told, without what the server says to fake logins. */
  kinds(): readonly string[] {
    return this.told.map(({ event }) => event.kind).filter((kind) => kind !== "login-failed");
  }

  #file(path: string, publications: readonly Publication[]): MemoryFile {
    const first = Promise.withResolvers<void>();
    const usernames: string[] = [];
    let stop: (() => void)[] = [];
    stop = publications.map((each) =>
      each.follow(({ login }) => {
        usernames.push(login.username);
        first.resolve();
      }),
    );
    const file = {
      path,
      usernames,
      get isCurrent() {
        return (
          publications.every(({ newest }) => newest?.login.username === usernames.at(-1)) &&
          usernames.length > 0
        );
      },
      written: first.promise,
      remove: async () => {},
      [Symbol.asyncDispose]: async () => {
        for (const each of stop) each();
      },
    };
    this.files.push(file);
    return file;
  }
}

/** The value of a metric, by its name and labels as the text has them. */
export function metricIn(text: string, name: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}
