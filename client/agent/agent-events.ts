import type { Duration } from "../../core/time.ts";
import type { KeeperEvents } from "../keeper/keeper.ts";
import type { ProxyEvent } from "../proxy/proxy-events.ts";

/** What the agent's parts tell beside keepers and proxies, without secrets. */
export type AgentEvent =
  | { readonly kind: "file-written"; readonly path: string; readonly usernames: readonly string[] }
  /** What was in the file stays. */
  | { readonly kind: "file-failed"; readonly path: string; readonly message: string }
  /** The command or signal after a change. The file is written. */
  | { readonly kind: "on-change-failed"; readonly path: string; readonly message: string }
  /** A request on Secrets Manager's port. `operation` is undefined if it came so far not. */
  | { readonly kind: "secret-read"; readonly operation: string; readonly name: string }
  | { readonly kind: "secret-refused"; readonly status: number; readonly message: string };

/** What an agent tells of its ports and of the sources of its logins. */
export type AgentStateEvent =
  | { readonly kind: "port-open"; readonly what: string; readonly at: string }
  /** It is tried again. */
  | { readonly kind: "port-failed"; readonly what: string; readonly message: string }
  /** A source answers again. */
  | { readonly kind: "source-back"; readonly source: string; readonly after: Duration }
  /** A login that was replaced came to its end, as it should. */
  | { readonly kind: "ended"; readonly username: string }
  /** At the agent's end. */
  | { readonly kind: "revoked" }
  /** Clients of Secrets Manager's port keep a login for longer than it is valid beside the next. */
  | { readonly kind: "cache-too-long"; readonly message: string }
  | { readonly kind: "state-failed"; readonly message: string };

/** What a keeper tells, as one union. */
export type KeeperTold = {
  [Name in keyof KeeperEvents]: { readonly kind: Name } & KeeperEvents[Name][0];
}[keyof KeeperEvents];

/** Everything that an agent tells. */
export type AgentTold = KeeperTold | ProxyEvent | AgentEvent | AgentStateEvent;
