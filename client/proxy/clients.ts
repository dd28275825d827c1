import type { Socket } from "node:net";
import { seconds } from "../../core/time.ts";
import type { Keeper } from "../keeper/keeper.ts";
import type { ClientTime } from "../time.ts";
import { CancelKeys } from "./cancel-keys.ts";
import { endAdvice, inWords } from "./ends/end-advice.ts";
import type { ProxyLimits } from "./limits.ts";
import { PrivilegeWatch } from "./privilege-watch.ts";
import type { EndReason, ProxyEvent } from "./proxy-events.ts";
import type { ScramServer } from "./scram/scram-server.ts";
import { ServerUnreachable } from "./server-login.ts";
import {
  type LoginStage,
  type OpenedServer,
  openServerSession,
  type ServerSessionsOptions,
} from "./server-sessions.ts";
import { ClientSide } from "./session/client-side.ts";
import { endSocket } from "./session/closing-socket.ts";
import type { SessionState } from "./session/conversation.ts";
import { Session, type SessionEvents } from "./session/session.ts";
import { ClientGone, ClientInput } from "./startup/client-input.ts";
import { NoSession, refusalFor } from "./startup/no-session.ts";
import { type Opening, openClient, withinStartup } from "./startup/open-client.ts";
import { textOf } from "./startup/startup-parameters.ts";
import type { Startup } from "./startup/startup-reader.ts";

/** Clients beyond the limit that are told so at once; further ones are closed without a word. */
const REFUSED_AT_ONCE = 8;

/** Of a silent client: the kernel asks whether it is still there. */
const KEEPALIVE = seconds(30);

export interface ClientsOptions {
  readonly keeper: Keeper;
  readonly scram: ScramServer | undefined;
  readonly opening: ServerSessionsOptions;
  readonly limits: ProxyLimits;
  readonly time: ClientTime;
  readonly onEvent: (event: ProxyEvent) => void;
}

/** Takes clients from their first byte into a session, and knows all sessions. */
export class Clients implements SessionEvents {
  readonly sessions = new Set<Session>();
  readonly #options: ClientsOptions;
  readonly #keys = new CancelKeys();
  readonly #sockets = new Set<Socket>();
  readonly #releases = new Map<Session, () => void>();
  readonly #privileges: PrivilegeWatch;
  #onEmpty: (() => void) | undefined;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#privileges = new PrivilegeWatch(options.keeper, options.time);
  }

  accept(socket: Socket): void {
    socket.on("error", () => {}); // close follows
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE);
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#tellIfEmpty();
    });
    const excess = this.#sockets.size - this.#options.limits.clients;
    if (excess > REFUSED_AT_ONCE) socket.destroy();
    else void this.#serve(socket, excess > 0);
  }

  /** End every session and every client that has none yet. */
  endAll(reason: EndReason): void {
    for (const session of this.sessions) {
      session.endWhenIdle(reason);
      if (!session.isIdle) session.force(reason);
    }
    const inSession = new Set([...this.sessions].map(({ client }) => client.socket));
    for (const socket of this.#sockets) if (!inSession.has(socket)) socket.destroy();
  }

  /** Resolves when there is no connection any more. One caller at a time. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      this.#tellIfEmpty();
    });
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const { server } of this.sessions) server.socket.destroy();
  }

  closed(session: Session): void {
    this.sessions.delete(session);
    this.#keys.remove(session);
    this.#releases.get(session)?.();
    this.#releases.delete(session);
    this.#tellIfEmpty();
  }

  ended(session: Session, reason: EndReason, state: SessionState): void {
    const { keeper, onEvent } = this.#options;
    const { overlap } = keeper;
    const isLease = reason !== "closing" && overlap !== undefined;
    onEvent({
      kind: "session-ended",
      reason,
      application: session.client.application,
      username: session.server.login.username,
      age: session.age,
      state,
      advice: isLease ? endAdvice(overlap) : undefined,
    });
  }

  serverLost({ client: { application } }: Session, message: string): void {
    this.#options.onEvent({ kind: "server-lost", application, message });
  }

  cancelled({ client: { application } }: Session): void {
    this.#options.onEvent({ kind: "statement-cancelled", application });
  }

  unprivileged({ server: { login } }: Session): void {
    this.#privileges.refused(login);
  }

  #tellIfEmpty(): void {
    if (this.#sockets.size === 0 && this.sessions.size === 0) this.#onEmpty?.();
  }

  async #serve(socket: Socket, isOneTooMany: boolean): Promise<void> {
    const { limits, time, scram } = this.#options;
    const gone = new AbortController();
    const input = new ClientInput(socket, () =>
      gone.abort(new ClientGone("the client has closed the connection")),
    );
    const client = {
      write: (bytes: Buffer) => void socket.write(bytes),
      next: () => input.next(),
    };
    let startup: Startup | undefined;
    try {
      const opening = await withinStartup(limits.startup, time, openClient(client, scram));
      if (opening.kind === "cancel") {
        await this.#cancel(opening.key);
        endSocket(socket, time);
        return;
      }
      startup = opening.startup;
      if (isOneTooMany) throw tooMany(limits.clients);
      await this.#open(socket, input, opening, gone.signal);
    } catch (error) {
      input.release();
      this.#refuse(socket, startup, error);
    }
  }

  async #open(
    socket: Socket,
    input: ClientInput,
    { startup, early }: Opening & { kind: "session" },
    gone: AbortSignal,
  ): Promise<void> {
    const opened = await this.#logIn(startup, gone);
    if (gone.aborted) {
      opened.side.leave();
      throw gone.reason;
    }
    const { keeper, time } = this.#options;
    const client = new ClientSide(socket, textOf(opened.application), time);
    const session = new Session(client, opened.side, this, time);
    this.sessions.add(session);
    this.#keys.add(session);
    this.#releases.set(session, keeper.use(opened.side.login));
    session.start(opened.greeting, opened.rest, Buffer.concat([early, input.release()]));
  }

  async #logIn(startup: Startup, gone: AbortSignal): Promise<OpenedServer> {
    const { opening, time, limits } = this.#options;
    let stage: LoginStage = "lease";
    const onStage = (next: LoginStage): void => {
      stage = next;
    };
    const done = new AbortController();
    const late = new AbortController();
    void time.wait(limits.login, done.signal).then(() => {
      if (!done.signal.aborted) late.abort(tooLate(stage, limits));
    });
    const signal = AbortSignal.any([gone, late.signal]);
    try {
      return await openServerSession({ ...opening, onStage }, startup, signal);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      done.abort();
    }
  }

  async #cancel(key: Buffer): Promise<void> {
    const session = this.#keys.find(key);
    if (session?.isOver === false) await session.server.cancel();
  }

  #refuse(socket: Socket, startup: Startup | undefined, error: unknown): void {
    const { time, onEvent } = this.#options;
    if (error instanceof ClientGone) {
      socket.destroy();
      return;
    }
    const { sqlstate, message, response } = refusalFor(error);
    const application = textOf(startup?.parameters.get("application_name") ?? "");
    if (startup === undefined || error instanceof NoSession)
      onEvent({ kind: "client-refused", sqlstate, message });
    else onEvent({ kind: "login-failed", application, sqlstate, message });
    endSocket(socket, time, response);
  }
}

const tooMany = (clients: number): NoSession =>
  new NoSession({
    sqlstate: "53300",
    message: `the Mayfly proxy has ${clients} clients, and takes no more`,
    hint: "Make the pools smaller, or raise the limit of open files (ulimit -n).",
  });

function tooLate(stage: LoginStage, { login }: ProxyLimits): Error {
  const within = `within ${inWords(login)}`;
  if (stage === "server") return new ServerUnreachable(`it did not let us in ${within}`);
  return new NoSession({
    sqlstate: "57P03",
    message: `the Mayfly proxy got no lease ${within}`,
    hint: "Connect again. Check the network to AWS and the issuer's log if it goes on.",
  });
}
