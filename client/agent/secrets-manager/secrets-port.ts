import type { Secret } from "../../../core/secret.ts";
import type { Duration } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";
import type { AgentEvent } from "../agent-events.ts";
import type { Publication } from "../publication.ts";

export interface SecretsPortOptions {
  /** On 127.0.0.1. 0: a free one. */
  readonly port: number;
  readonly token: Secret;
  /** Callers of the SDK's protocol need no token. */
  readonly isPrivate: boolean;
  /** By the name that clients ask for. */
  readonly secrets: ReadonlyMap<string, Publication>;
  readonly onEvent: (event: AgentEvent) => void;
  readonly time: ClientTime;
  /** For how long a request may wait for a login. */
  readonly patience?: Duration;
}

/** Secrets Manager's protocol on the loopback, for logins that the agent holds. */
export interface SecretsPort extends AsyncDisposable {
  readonly port: number;
}
