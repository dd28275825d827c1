import { awsFailure, clientsOf } from "./aws-sdk.ts";

/** An alias of a function. */
export interface AliasAddress {
  readonly arn: string;
  /** `<function>:<alias>`, shortened. */
  readonly name: string;
  readonly region: string;
}

/** The answer of a function: its payload, which is an error if it failed. */
export interface Invoked {
  readonly payload: unknown;
  readonly isError: boolean;
}

/** Invokes an alias and waits for its answer. @throws KeeperError if AWS does not. */
export type Invoke = (alias: AliasAddress, event: object, signal: AbortSignal) => Promise<Invoked>;

type Load = () => Promise<typeof import("./lambda-sdk.ts")>;

/** Gives credentials, and is asked again when they expire. */
export type CredentialsProvider = () => Promise<{
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}>;

/**
 * Invokes by the SDK, with a client for each Region.
 *
 * @param credentials @default - the SDK's, from environment and profile
 */
export function invokeBySdk(load: Load, credentials?: CredentialsProvider): Invoke {
  const clients = clientsOf(
    "@aws-sdk/client-lambda",
    load,
    (sdk, settings) =>
      new sdk.LambdaClient({ ...settings, ...(credentials !== undefined && { credentials }) }),
  );
  return async ({ arn, name, region }, event, signal) => {
    const called = {
      name,
      kind: `alias in ${region}`,
      permission: "lambda:InvokeFunction, or the name is wrong",
    };
    try {
      const { sdk, client } = await clients(region);
      const { Payload, FunctionError } = await client.send(
        new sdk.InvokeCommand({ FunctionName: arn, Payload: JSON.stringify(event) }),
        { abortSignal: signal },
      );
      return {
        payload: JSON.parse(Payload?.transformToString() ?? "null"),
        isError: FunctionError !== undefined,
      };
    } catch (error) {
      throw awsFailure(error, called);
    }
  };
}

/** One for the process: keepers share the clients. */
export const invokeByLambda: Invoke = invokeBySdk(() => import("./lambda-sdk.ts"));
