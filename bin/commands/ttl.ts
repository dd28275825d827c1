import { readSeconds } from "../../config/place.ts";
import { Exit, Failure } from "./exit.ts";

/** The seconds that an option such as `--ttl 15m` stands for; `undefined` when it was left out. */
export function secondsIn(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const problems: string[] = [];
  const found = readSeconds({ path: option, value: text, problems });
  if (found === undefined) throw new Failure(Exit.usage, problems.join("\n"));
  return found;
}

/** The field of a request that `--ttl 15m` stands for; none when it was left out. */
export function ttlField(ttl: string | undefined): { readonly ttlSeconds?: number } {
  const ttlSeconds = secondsIn("--ttl", ttl);
  return ttlSeconds === undefined ? {} : { ttlSeconds };
}
