import { isRetryable, LeaseEndedError } from "../../../core/errors.ts";
import { clipped, KeeperError } from "../errors.ts";
import { type AliasAddress, type Invoke, invokeByLambda } from "./invoke.ts";
import { endsIn, leaseIn } from "./issuer-answers.ts";
import type { LeaseSource } from "./lease-source.ts";

/** An alias, with its function, Region and account. GovCloud and China have partitions of their own. */
export const ALIAS_ARN = /^arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:([\w-]+):([\w-]+)$/;

/** How much of a name an error shows. Unit: characters. */
const SHOWN = 60;

/**
 * An issuer as the source of leases. The SDK is loaded by the first call; credentials are the
 * SDK's, the Region is the ARN's.
 *
 * @param arn of the alias: the output of a deployment, or what `addConsumer` set.
 * @throws KeeperError with `invalid` if it is not the ARN of an alias.
 */
export const issuer = (arn: string): LeaseSource => issuerBy(invokeByLambda, arn);

function parseAlias(arn: string): AliasAddress {
  const [, region, functionName, alias] = ALIAS_ARN.exec(arn) ?? [];
  if (region === undefined || functionName === undefined || alias === undefined)
    throw new KeeperError(
      "invalid",
      `"${clipped(arn, 50)}" is not the ARN of an alias: write arn:aws:lambda:<region>:<account>:function:<name>:<alias>`,
    );
  return { arn, name: clipped(`${functionName}:${alias}`, SHOWN), region };
}

/** An issuer that is reached by `invoke`. */
export function issuerBy(invoke: Invoke, arn: string): LeaseSource {
  const alias = parseAlias(arn);
  const ask = async (request: object, signal: AbortSignal): Promise<unknown> => {
    const { payload, isError } = await invoke(alias, request, signal);
    if (isError) throw errorIn(payload, alias);
    return payload;
  };
  return {
    name: alias.name,
    issue: async ({ key, ttlSeconds, minRemainingSeconds }, signal) =>
      leaseIn(
        await ask(
          { action: "issue", idempotencyKey: key, ttlSeconds, minRemainingSeconds },
          signal,
        ),
        alias.name,
      ),
    renew: async (leaseId, ttlSeconds, signal) =>
      endsIn(await ask({ action: "renew", leaseId, ttlSeconds }, signal), alias.name),
    revoke: async (leaseId, signal) => {
      await ask({ action: "revoke", leaseId }, signal);
    },
  };
}

/** The error of a function, which decides by its name alone. */
function errorIn(payload: unknown, { name }: AliasAddress): Error {
  const { errorType, errorMessage } = (payload ?? {}) as Readonly<Record<string, unknown>>;
  const type = String(errorType);
  const cause = new Error(String(errorMessage));
  switch (type) {
    case "LeaseEndedError":
      return new LeaseEndedError(cause.message);
    case "LimitReachedError":
      return new KeeperError(
        "limit",
        `${name} is at its limit: one lease per replica twice during an overlap: maxLeases ≥ 2 × replicas`,
        { cause },
      );
    case "NotAllowedError":
      return new KeeperError(
        "denied",
        `${name}: role unknown, or the grant was withdrawn: add it to the configuration and deploy`,
        { cause },
      );
    case "InvalidRequestError":
      return new KeeperError("invalid", cause.message, { cause });
    default:
      return new KeeperError(
        "unavailable",
        isRetryable(type)
          ? `${name} failed (${type}): it is asked again; its log says more if this lasts`
          : `${name} failed (${type}): its log and docs/errors.md say what to do; it is asked again`,
        { cause },
      );
  }
}
