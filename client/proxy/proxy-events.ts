import type { Duration } from "../../core/time.ts";
import type { SessionState } from "./session/conversation.ts";

/** Why the proxy ended a session by itself. */
export type EndReason =
  /** Its lease ends soon, and it was quiet. */
  | "quiet"
  /** Its lease ends in a moment: between two transactions. */
  | "between-transactions"
  /** Its lease ends now: in the middle of what it did. */
  | "forced"
  /** The proxy stops. */
  | "closing";

/** What the proxy tells, without secrets. Programs make log lines of it. */
export type ProxyEvent =
  | {
      readonly kind: "session-ended";
      readonly reason: EndReason;
      /** `application_name` of the session. */
      readonly application: string;
      readonly username: string;
      readonly age: Duration;
      readonly state: SessionState;
      /** What to change so that it does not happen. */
      readonly advice: string | undefined;
    }
  /** The server refused a login; the client does not notice, because another is tried. */
  | { readonly kind: "login-retried"; readonly username: string; readonly sqlstate: string }
  | {
      readonly kind: "login-failed";
      readonly application: string;
      readonly sqlstate: string;
      readonly message: string;
    }
  /** Before a login was tried: not PostgreSQL's protocol, too many clients, a wrong password. */
  | { readonly kind: "client-refused"; readonly sqlstate: string; readonly message: string }
  | { readonly kind: "server-lost"; readonly application: string; readonly message: string }
  /** A client went away in the middle of a statement, which was cancelled. */
  | { readonly kind: "statement-cancelled"; readonly application: string };
