import type { SourceFailure } from "../keeper/keeper.ts";
import type { AgentTold } from "./agent-events.ts";

/** Of one login. */
export interface LoginCounts {
  renewed: number;
  replaced: number;
  lost: number;
  /** At the server: of clients, and of our own looks. */
  loginsFailed: number;
  readonly failures: Record<SourceFailure, number>;
}

/** Of one file. */
export interface FileCounts {
  failed: number;
  onChangeFailed: number;
}

/** What happened since the agent started, counted. */
export class AgentCounts {
  readonly logins = new Map<string, LoginCounts>();
  readonly files = new Map<string, FileCounts>();
  /** By the name that clients asked for: those that are there, and so many. */
  readonly secretReads = new Map<string, number>();
  /** By HTTP status. */
  readonly secretRefusals = new Map<number, number>();
  readonly portFailures = new Map<string, number>();

  constructor(logins: readonly string[], files: readonly string[]) {
    for (const name of logins)
      this.logins.set(name, {
        renewed: 0,
        replaced: 0,
        lost: 0,
        loginsFailed: 0,
        failures: { denied: 0, absent: 0, limit: 0, throttled: 0, unavailable: 0, invalid: 0 },
      });
    for (const path of files) this.files.set(path, { failed: 0, onChangeFailed: 0 });
  }

  /** @param name of the login that it is about. */
  count(event: AgentTold, name: string | undefined): void {
    const login = this.logins.get(name ?? "");
    switch (event.kind) {
      case "renewed":
      case "replaced":
      case "lost":
        if (login !== undefined) login[event.kind] += 1;
        break;
      case "failing":
        if (login !== undefined) login.failures[event.failure] += 1;
        break;
      case "login-failed":
        if (login !== undefined) login.loginsFailed += 1;
        break;
      case "file-failed":
      case "on-change-failed": {
        const file = this.files.get(event.path);
        if (file !== undefined)
          file[event.kind === "file-failed" ? "failed" : "onChangeFailed"] += 1;
        break;
      }
      case "secret-read":
        add(this.secretReads, event.name);
        break;
      case "secret-refused":
        add(this.secretRefusals, event.status);
        break;
      case "port-failed":
        add(this.portFailures, name ?? event.what);
        break;
      default:
    }
  }
}

const add = <Key>(counts: Map<Key, number>, key: Key): void =>
  void counts.set(key, (counts.get(key) ?? 0) + 1);
