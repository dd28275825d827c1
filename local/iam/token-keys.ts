import type { PolicyDocument } from "./identity.ts";

/** A key that the simulation takes with any name after the slash. */
const STAND_IN = "aws:RequestTag/of-a-token/";

/** Claims that STS turns into condition keys for every issuer (IAM user guide, AWS OIDC keys). */
const CLAIM = /:(?:aud|oaud|sub|amr|email)$/;

/**
 * A policy and a context in which the condition keys of an issuer's tokens have other names, and an
 * issuer without a provider an ARN. The simulation drops keys that it does not know, and it knows
 * those of a few issuers only.
 *
 * @param provider ARN of the provider of the token.
 */
export function withKnownKeys(
  policy: PolicyDocument,
  context: Readonly<Record<string, string>>,
  provider: string,
): { readonly policy: PolicyDocument; readonly context: Readonly<Record<string, string>> } {
  const names = new Map(
    Object.keys(context)
      .filter((key) => CLAIM.test(key))
      .map((key) => [key.toLowerCase(), `${STAND_IN}${key}`]),
  );
  if (names.size === 0) return { policy, context };
  const renamed = <Value>(values: Readonly<Record<string, Value>>): Record<string, Value> =>
    Object.fromEntries(
      Object.entries(values).map(([key, value]) => [names.get(key.toLowerCase()) ?? key, value]),
    );
  const statements = [policy.Statement].flat() as Statement[];
  const Statement = statements.map(({ Condition, Principal, ...statement }) => ({
    ...statement,
    Principal:
      Principal?.Federated !== undefined &&
      provider.endsWith(`:oidc-provider/${Principal.Federated}`)
        ? { Federated: provider }
        : Principal,
    ...(Condition !== undefined && {
      Condition: Object.fromEntries(
        Object.entries(Condition).map(([operator, keys]) => [operator, renamed(keys)]),
      ),
    }),
  }));
  return { policy: { ...policy, Statement }, context: renamed(context) };
}

interface Statement {
  readonly Principal?: { readonly Federated?: string };
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}
