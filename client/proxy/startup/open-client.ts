import type { Duration } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";
import { ScramFailure } from "../scram/scram-failure.ts";
import type { ScramServer } from "../scram/scram-server.ts";
import { MalformedMessage } from "../wire/message-reader.ts";
import type { FatalError } from "../wire/messages.ts";
import { ClientGone } from "./client-input.ts";
import { type OpeningClient, proveLocalPassword, UnexpectedMessage } from "./local-login.ts";
import { NoSession } from "./no-session.ts";
import { startupRefusal, textOf } from "./startup-parameters.ts";
import { type Startup, StartupReader } from "./startup-reader.ts";

const NO_ENCRYPTION = Buffer.from("N");

/** What a client wants, once it has proved that it may. */
export type Opening =
  | { readonly kind: "cancel"; readonly key: Buffer }
  /** `early`: what came behind its startup and password. */
  | { readonly kind: "session"; readonly startup: Startup; readonly early: Buffer };

/**
 * Read a client up to what it wants.
 *
 * @param scram undefined: no password is asked for.
 * @throws NoSession with words for the client; ClientGone
 */
export async function openClient(
  client: OpeningClient,
  scram: ScramServer | undefined,
): Promise<Opening> {
  const reader = new StartupReader();
  for (;;) {
    const step = reader.next();
    switch (step.kind) {
      case "incomplete":
        reader.add(await client.next());
        break;
      case "encryption":
        client.write(NO_ENCRYPTION);
        break;
      case "refused":
        throw new NoSession(step.error);
      case "cancel":
        return step;
      case "session": {
        const { startup } = step;
        const refusal = startupRefusal(startup);
        if (refusal !== undefined) throw new NoSession(refusal);
        const early = await authenticated(client, scram, startup, reader.rest);
        return { kind: "session", startup, early };
      }
      default:
        return step satisfies never;
    }
  }
}

async function authenticated(
  client: OpeningClient,
  scram: ScramServer | undefined,
  startup: Startup,
  early: Buffer,
): Promise<Buffer> {
  if (scram === undefined) return early;
  try {
    return await proveLocalPassword(scram, client, early);
  } catch (error) {
    if (error instanceof ScramFailure)
      throw new NoSession(wrongPassword(startup), { cause: error });
    if (error instanceof MalformedMessage || error instanceof UnexpectedMessage)
      throw new NoSession({ sqlstate: "08P01", message: error.message }, { cause: error });
    throw error;
  }
}

const wrongPassword = ({ parameters }: Startup): FatalError => ({
  sqlstate: "28P01",
  message: `password authentication failed for user "${textOf(parameters.get("user") ?? "")}"`,
  hint: "This port of the Mayfly proxy has a password of its own: use the URL that it printed.",
});

/** Close a client that takes too long for its startup and password. */
export async function withinStartup<Result>(
  length: Duration,
  time: ClientTime,
  work: Promise<Result>,
): Promise<Result> {
  const done = new AbortController();
  const tooSlow = time.wait(length, done.signal).then((): Result => {
    throw new ClientGone("the client did not send its startup packet in time");
  });
  try {
    return await Promise.race([work, tooSlow]);
  } finally {
    tooSlow.catch(() => {});
    done.abort();
  }
}
