import { readFileSync } from "node:fs";
import { get } from "node:http";
import type { GuardedPort } from "../../client/agent/configuration.ts";
import { type Duration, seconds } from "../../core/time.ts";
import { Exit, Failure } from "../terminal/exit.ts";

/** Whoever probes waits no longer: ECS's default. */
const LONGEST: Duration = seconds(5);

/**
 * Ask the agent that runs on this machine whether every login works now.
 *
 * @throws Failure with one line of why, if it does not say yes.
 */
export async function askReady(
  { port, tokenFile }: GuardedPort,
  longest: Duration = LONGEST,
): Promise<void> {
  if (port === 0)
    throw new Failure(
      Exit.usage,
      "health: port 0 is a free one, which --ready does not know; choose a port, e.g. 9127",
    );
  const status = await statusAt(port, tokenIn(tokenFile), longest);
  if (status === 200) return;
  if (status === 503)
    throw new Failure(
      Exit.unavailable,
      "not ready: a login does not work yet, or a port or file is missing; the agent's log says why",
    );
  throw new Failure(
    Exit.config,
    `port ${port} answers ${status}: it is not this agent's, or ${tokenFile.slice(-60)} is not its token; use the agent's own configuration`,
  );
}

/** Of the file that the agent makes. Before it has begun, there is none. */
function tokenIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "the agent has not started" : "ask as the agent's user";
    throw new Failure(Exit.tryAgain, `cannot read the token ${file.slice(-60)} (${code}): ${why}`, {
      cause: error,
    });
  }
}

function statusAt(port: number, token: string, longest: Duration): Promise<number> {
  return new Promise((resolve, reject) => {
    const authorization = `Bearer ${token}`;
    const signal = AbortSignal.timeout(longest);
    const options = {
      host: "127.0.0.1",
      port,
      path: "/readyz",
      headers: { authorization },
      signal,
      // the global agent may lead to a proxy, with the token
      agent: false,
    };
    get(options, ({ statusCode = 0 }) => resolve(statusCode)).once("error", (error) => {
      const { code } = error as NodeJS.ErrnoException;
      const why = signal.aborted ? `within ${longest / 1_000} seconds` : `(${code})`;
      reject(
        new Failure(Exit.tryAgain, `no agent answers on 127.0.0.1, port ${port} ${why}`, {
          cause: error,
        }),
      );
    });
  });
}
