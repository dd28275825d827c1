import type { FatalError } from "../wire/messages.ts";
import type { Startup } from "./startup-reader.ts";

/** Values that PostgreSQL reads as false, and the absent one. */
const FALSE = /^(|f|fa|fal|fals|false|n|no|of|off|0)$/i;

/** Why a startup packet is refused whatever the server would say. Undefined if it is not. */
export function startupRefusal({ parameters }: Startup): FatalError | undefined {
  if (FALSE.test(parameters.get("replication") ?? "")) return undefined;
  return {
    sqlstate: "0A000",
    message:
      "the Mayfly proxy passes no replication connections: leases have no right to replicate",
    hint: "Connect to the server directly.",
  };
}

/** What the server gets instead of what the client left out. */
export interface StartupDefaults {
  readonly database: string;
  readonly applicationName: string;
}

/**
 * The parameters for the server, without `user`. A client that names no database means that of the
 * lease; so does one whose database is its user, because libpq fills it in.
 */
export function serverParameters(
  { parameters }: Startup,
  { database, applicationName }: StartupDefaults,
): ReadonlyMap<string, string> {
  const chosen = new Map(parameters);
  const named = chosen.get("database") ?? "";
  if (named === "" || named === chosen.get("user")) chosen.set("database", latin1Of(database));
  if ((chosen.get("application_name") ?? "") === "")
    chosen.set("application_name", latin1Of(applicationName));
  chosen.delete("user");
  return chosen;
}

/** The bytes of a text in UTF-8, one character each. */
const latin1Of = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** A value of a startup packet as text, for messages. */
export const textOf = (latin1: string): string => Buffer.from(latin1, "latin1").toString("utf8");
