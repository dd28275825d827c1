import { readSeconds } from "../../core/config/place.ts";
import { Exit, Failure } from "./exit.ts";

/** The field of a request that `--ttl 15m` stands for; none when it was left out. */
export function ttlField(ttl: string | undefined): { readonly ttlSeconds?: number } {
  if (ttl === undefined) return {};
  const problems: string[] = [];
  const ttlSeconds = readSeconds({ path: "--ttl", value: ttl, problems });
  if (ttlSeconds === undefined) throw new Failure(Exit.usage, problems.join("\n"));
  return { ttlSeconds };
}
