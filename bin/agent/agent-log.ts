import type { AgentTold } from "../../client/agent/agent-events.ts";
import { type Log, lineWriter } from "../proxy/log-events.ts";
import { type LogLine, lineOf } from "../proxy/proxy-log.ts";
import { count, span } from "../terminal/table.ts";

/** Log what an agent tells. Reads of secrets are counted in metrics only: each client makes many. */
export function agentLog(log: Log): (event: AgentTold, login: string | undefined) => void {
  const write = lineWriter(log);
  return (event, login) => {
    if (event.kind !== "secret-read") write(event.kind, ofLogin(agentLine(event), login));
  };
}

const ofLogin = ({ level, words, fields }: LogLine, login: string | undefined): LogLine =>
  login === undefined
    ? { level, words, fields }
    : { level, words: `${login}: ${words}`, fields: { login, ...fields } };

/** The line of an event, without the login that it is about. */
export function agentLine(event: AgentTold): LogLine {
  switch (event.kind) {
    case "file-written": {
      const { path, usernames } = event;
      return info(`wrote ${path} with ${usernames.join(", ")}`, {
        path,
        usernames: usernames.join(" "),
      });
    }
    case "file-failed":
    case "on-change-failed": {
      const { path, message } = event;
      return warning(aboutFile(event), { path, reason: message });
    }
    case "secret-read": {
      const { operation, name } = event;
      return info(`${operation} of ${name}`, { operation, name });
    }
    case "secret-refused": {
      const { status, message } = event;
      return warning(`refused a request for a secret (${status}): ${message}`, {
        status,
        reason: message,
      });
    }
    case "port-open": {
      const { what, at } = event;
      return info(`${what} is at ${at}`, { what, at });
    }
    case "port-failed": {
      const { what, message } = event;
      return warning(`${what}: ${message}; it is tried again`, { what, reason: message });
    }
    case "source-back": {
      const { source, after } = event;
      return info(`${source} answers again, after ${span(after)}`, {
        source,
        afterSeconds: Math.round(after / 1_000),
      });
    }
    case "ended":
      return info(`${event.username} has ended, as it should: there is a next login`, {
        username: event.username,
      });
    case "revoked":
      return info("its leases are revoked", {});
    case "cache-too-long":
    case "state-failed":
      return warning(event.message, {});
    default:
      return lineOf(event);
  }
}

/** What happened to a file, with its path, which the system's words may have already. */
export const aboutFile = ({
  path,
  message,
}: Readonly<Record<"path" | "message", string>>): string =>
  message.includes(path.slice(-60)) ? message : `${path}: ${message}`;

const info = (words: string, fields: LogLine["fields"]): LogLine => ({
  level: "info",
  words,
  fields,
});
const warning = (words: string, fields: LogLine["fields"]): LogLine => ({
  level: "warning",
  words,
  fields,
});

/** What a configuration has, in a line. */
export const summaryOf = (logins: number, files: number): string =>
  `${count(logins, "login")}, ${count(files, "file")}`;
