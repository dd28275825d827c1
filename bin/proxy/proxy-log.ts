import type { AgentEvent } from "../../client/agent/agent-events.ts";
import type { KeeperEvents } from "../../client/keeper/keeper.ts";
import type { ProxyEvent } from "../../client/proxy/proxy-events.ts";
import { type Duration, type Instant, iso, minutes } from "../../core/time.ts";
import { clock, span } from "../terminal/table.ts";

/** What keeper and proxy tell, as one union. */
export type LogEvent =
  | {
      [Name in keyof KeeperEvents]: { readonly kind: Name } & KeeperEvents[Name][0];
    }[keyof KeeperEvents]
  | ProxyEvent
  | Extract<AgentEvent, { readonly kind: "file-written" | "file-failed" }>
  | {
      readonly kind: "listening";
      /** E.g. `orders/readonly`. */
      readonly lease: string;
      /** An address, or the folder of a Unix socket. */
      readonly host: string;
      readonly port: number;
      /** How long pools may keep connections. Undefined where no lease is ever replaced. */
      readonly safePoolLifetime: Duration | undefined;
    }
  /** Where `/livez` and `/readyz` answer. */
  | { readonly kind: "health"; readonly port: number };

/** Leases of 70 minutes and more allow it: their overlap is 35 minutes, less 7 %. */
const USUAL_LIFETIME = minutes(27);

/** A line of the log: what happened, in words and in fields. It has no secret in it. */
export interface LogLine {
  /** Whether somebody should do something, or should have. */
  readonly level: "info" | "warning";
  readonly words: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

const at = (instant: Instant): string => clock(iso(instant));
const seconds = (length: Duration): number => Math.floor(length / 1_000);

/** The line of an event. */
export function lineOf(event: LogEvent): LogLine {
  switch (event.kind) {
    case "listening": {
      const { lease, host, port, safePoolLifetime: lifetime } = event;
      const isShort = lifetime !== undefined && lifetime < USUAL_LIFETIME;
      const advice = isShort
        ? `; leases are short: set the pool's maximum lifetime below ${span(lifetime)}`
        : "";
      return {
        level: isShort ? "warning" : "info",
        words: `${lease} is at ${host}, port ${port}${advice}`,
        fields: {
          lease,
          host,
          port,
          ...(lifetime !== undefined && { safePoolLifetimeSeconds: seconds(lifetime) }),
        },
      };
    }
    case "health":
      return {
        level: "info",
        words: `/livez and /readyz answer at 127.0.0.1, port ${event.port}`,
        fields: { port: event.port },
      };
    case "renewed": {
      const { login, endsAt } = event;
      return {
        level: "info",
        words: `${login.username} renewed, until ${at(endsAt)}`,
        fields: { username: login.username, endsAt: iso(endsAt) },
      };
    }
    case "replaced": {
      const { login, before, endsAt } = event;
      const end = endsAt === undefined ? "" : `, which ends at ${at(endsAt)}`;
      return {
        level: "info",
        words: `new connections log in as ${login.username}, no longer as ${before.username}${end}`,
        fields: {
          username: login.username,
          before: before.username,
          ...(endsAt !== undefined && { endsAt: iso(endsAt) }),
        },
      };
    }
    case "failing": {
      const { failure, message, left } = event;
      const rest =
        left !== undefined && left > 0 ? `; the login is valid for ${span(left)} more` : "";
      return {
        level: "warning",
        words: `${message}${rest}`,
        fields: {
          failure,
          reason: message,
          ...(left !== undefined && { leftSeconds: seconds(left) }),
        },
      };
    }
    case "lost": {
      const { login, message } = event;
      return {
        level: "warning",
        words: `${login.username} is over: ${message}`,
        fields: { username: login.username, reason: message },
      };
    }
    case "session-ended": {
      const { reason, application, username, age, state, advice } = event;
      const isQuiet = reason === "quiet" || reason === "closing";
      const who = application === "" ? "a session" : `a session of ${application}`;
      return {
        level: isQuiet ? "info" : "warning",
        words: `ended ${who} (${username}, ${span(age)} old, ${state}): ${REASONS[reason]}${advice === undefined ? "" : `; ${advice}`}`,
        fields: {
          reason,
          application,
          username,
          ageSeconds: seconds(age),
          state,
          ...(advice !== undefined && { advice }),
        },
      };
    }
    case "login-retried": {
      const { username, sqlstate } = event;
      return {
        level: "info",
        words: `the server refused ${username} (${sqlstate}): trying with a fresh lease`,
        fields: { username, sqlstate },
      };
    }
    case "login-failed": {
      const { application, sqlstate, message } = event;
      const who = application === "" ? "a client" : application;
      return {
        level: "warning",
        words: `${who} could not connect (${sqlstate}): ${message}`,
        fields: { application, sqlstate, reason: message },
      };
    }
    case "client-refused": {
      const { sqlstate, message } = event;
      return {
        level: "warning",
        words: `refused a client (${sqlstate}): ${message}`,
        fields: { sqlstate, reason: message },
      };
    }
    case "server-lost": {
      const { application, message } = event;
      const who = application === "" ? "a session" : `a session of ${application}`;
      return {
        level: "warning",
        words: `${who} lost its server: ${message}`,
        fields: { application, reason: message },
      };
    }
    case "statement-cancelled": {
      const { application } = event;
      const who = application === "" ? "a client" : application;
      return {
        level: "info",
        words: `${who} went away during a statement, which was cancelled`,
        fields: { application },
      };
    }
    case "file-written": {
      const { path, usernames } = event;
      return {
        level: "info",
        words: `wrote ${usernames.join(", ")} to ${path}`,
        fields: { path, username: usernames.join(", ") },
      };
    }
    case "file-failed": {
      const { path, message } = event;
      return { level: "warning", words: message, fields: { path } };
    }
    default:
      return event satisfies never;
  }
}

const REASONS: Readonly<
  Record<Extract<ProxyEvent, { readonly kind: "session-ended" }>["reason"], string>
> = {
  quiet: "its lease ends soon, and it was quiet",
  "between-transactions": "its lease ends in a moment",
  forced: "its lease ended",
  closing: "the proxy stops",
};

/** The line as one JSON document. */
export const jsonOf = (event: LogEvent, now: Instant): string =>
  jsonLine(event.kind, lineOf(event), now);

/** A line of some event as one JSON document. */
export const jsonLine = (event: string, { level, words, fields }: LogLine, now: Instant): string =>
  JSON.stringify({ time: iso(now), level, event, message: words, ...fields });
