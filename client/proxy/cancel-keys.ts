import type { Session } from "./session/session.ts";

/**
 * Which session a CancelRequest means: the server's own keys, passed to clients unchanged. A key of
 * nobody is not passed on: it could not be known to which server.
 */
export class CancelKeys {
  readonly #sessions = new Map<string, Session>();

  get size(): number {
    return this.#sessions.size;
  }

  add(session: Session): void {
    const { cancelKey } = session.server;
    if (cancelKey !== undefined) this.#sessions.set(cancelKey.toString("latin1"), session);
  }

  remove(session: Session): void {
    const key = session.server.cancelKey?.toString("latin1") ?? "";
    if (this.#sessions.get(key) === session) this.#sessions.delete(key);
  }

  find(key: Buffer): Session | undefined {
    return this.#sessions.get(key.toString("latin1"));
  }
}
