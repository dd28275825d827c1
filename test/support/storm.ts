import type pg from "pg";
import type { Credential } from "../../core/leases/credential.ts";
import { logIn } from "./leases.ts";
import type { TestDatabase } from "./provisioned.ts";

/** Loops that log in again and again, whatever becomes of their sessions. */
export interface Storm {
  /** Resolves when every loop has logged in once. */
  readonly raging: Promise<unknown>;
  /** Let each loop finish the attempt it is in; sessions that were not ended stay open. */
  stop(): Promise<{ readonly logins: number }>;
  /** Close what is still open. */
  clear(): Promise<void>;
}

/**
 * Log in with one credential from several loops. Each keeps its last session open and idle and
 * opens the next at once, as pools do whose connections die under them. Every session starts with
 * `first`, if it is given, without waiting for its answer; then a loop keeps three.
 */
export function storm(
  test: TestDatabase,
  credential: Credential,
  loops: number,
  first?: string,
): Storm {
  return stormOf(() => logIn(test, credential), loops, first);
}

/** As {@link storm}, wherever the logins go. */
export function stormOf(attempt: () => Promise<pg.Client>, loops: number, first?: string): Storm {
  const keep = first === undefined ? 1 : 3;
  let stopped = false;
  let logins = 0;
  const open = new Set<{ end(): Promise<void> }>();
  const firsts: Promise<void>[] = [];
  const running = Array.from({ length: loops }, async () => {
    let firstSeen: () => void = () => {};
    firsts.push(
      new Promise((resolve) => {
        firstSeen = resolve;
      }),
    );
    const kept: { end(): Promise<void> }[] = [];
    while (!stopped) {
      const client = await attempt().catch(() => undefined);
      if (client === undefined) continue; // refused: it tries again, as a pool does
      logins += 1;
      open.add(client);
      kept.push(client);
      if (first !== undefined) client.query(first).catch(() => {});
      firstSeen();
      if (kept.length <= keep) continue;
      const [oldest] = kept.splice(0, 1);
      if (oldest === undefined) continue;
      open.delete(oldest);
      await oldest.end().catch(() => {});
    }
    firstSeen();
  });
  return {
    raging: Promise.all(firsts),
    stop: async () => {
      stopped = true;
      await Promise.all(running);
      return { logins };
    },
    clear: async () => {
      await Promise.all([...open].map((client) => client.end().catch(() => {})));
    },
  };
}
