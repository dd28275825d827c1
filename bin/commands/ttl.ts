import { writtenLength } from "../../config/schema/length.ts";
import { parse } from "../../config/schema/problems.ts";
import { ConfigError } from "../../core/errors.ts";
import { Exit, Failure } from "../terminal/exit.ts";

/** The seconds of an option such as `--ttl 15m`; `undefined` if the option was not given. */
export function secondsIn(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return parse(writtenLength, text, (seconds) => seconds, { path: [option] });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failure(Exit.usage, error.message, { cause: error });
  }
}

/** The field of a request for `--ttl 15m`; no field if the option was not given. */
export function ttlField(ttl: string | undefined): { readonly ttlSeconds?: number } {
  const ttlSeconds = secondsIn("--ttl", ttl);
  return ttlSeconds === undefined ? {} : { ttlSeconds };
}
