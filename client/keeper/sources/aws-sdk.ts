import { KeeperError } from "../errors.ts";
import type { SourceFailure } from "../keeper.ts";

/** Settings of the SDK's clients. What is missing here, the SDK takes from environment and profile. */
export interface ClientSettings {
  readonly region?: string;
  readonly maxAttempts: number;
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: boolean;
  };
}

/**
 * Two attempts: the second meets a connection that died while nobody looked, as in a frozen
 * function. Further ones are the keeper's, whose waits are longer. An issuer may take 30 seconds.
 */
export const SDK_SETTINGS: ClientSettings = {
  maxAttempts: 2,
  requestHandler: {
    connectionTimeout: 5_000,
    requestTimeout: 35_000,
    throwOnRequestTimeout: true,
  },
};

/**
 * One client for each Region, made when it is first used.
 *
 * @param name of the package that `load` imports.
 */
export function clientsOf<Sdk, Client>(
  name: string,
  load: () => Promise<Sdk>,
  make: (sdk: Sdk, settings: ClientSettings) => Client,
): (region: string | undefined) => Promise<{ readonly sdk: Sdk; readonly client: Client }> {
  const clients = new Map<string | undefined, Promise<{ sdk: Sdk; client: Client }>>();
  const begin = async (region: string | undefined): Promise<{ sdk: Sdk; client: Client }> => {
    try {
      const sdk = await load();
      return { sdk, client: make(sdk, { ...SDK_SETTINGS, ...(region && { region }) }) };
    } catch (cause) {
      throw new KeeperError("invalid", `${name} is not installed: npm install ${name}`, { cause });
    }
  };
  return (region) => {
    const known = clients.get(region);
    if (known !== undefined) return known;
    const made = begin(region);
    clients.set(region, made);
    made.catch(() => clients.delete(region)); // the caller has the error
    return made;
  };
}

/** What is called, in messages. */
export interface Called {
  /** Short, e.g. `orders-issuer:reporting--readonly`. */
  readonly name: string;
  /** What does not exist if AWS does not find it, and where, e.g. `function in eu-west-1`. */
  readonly kind: string;
  /** What its caller needs. */
  readonly permission: string;
}

const NO_CREDENTIALS = ["CredentialsProviderError", "TokenProviderError"];
/** Credentials are over, or are of nobody. */
const WRONG_CREDENTIALS = [
  "ExpiredTokenException",
  "ExpiredToken",
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "IncompleteSignature",
  "MissingAuthenticationTokenException",
];
const DENIED = [
  "AccessDeniedException",
  "AccessDenied",
  "DecryptionFailure",
  "KMSAccessDeniedException",
  "OptInRequired",
];
const ABSENT = ["ResourceNotFoundException"];
const THROTTLED = [
  "TooManyRequestsException",
  "ThrottlingException",
  "Throttling",
  "RequestLimitExceeded",
  "EC2ThrottledException",
];

/** An error of the SDK, by the service's name for it. */
export function awsFailure(error: unknown, { name, kind, permission }: Called): KeeperError {
  if (error instanceof KeeperError) return error;
  const {
    name: type,
    code,
    message,
    $metadata,
  } = (error ?? {}) as {
    readonly name?: string;
    /** Of Node, which calls each of them "Error". */
    readonly code?: string;
    readonly message?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const is = (types: readonly string[]): boolean => type !== undefined && types.includes(type);
  const failed = (failure: SourceFailure, text: string): KeeperError =>
    new KeeperError(failure, text, { cause: error });
  if (is(NO_CREDENTIALS))
    return failed("denied", `no AWS credentials for ${name}: give this process a role, or log in`);
  if (is(WRONG_CREDENTIALS))
    return failed("denied", `AWS refuses the credentials for ${name} (${type}): log in again`);
  if (is(DENIED))
    return failed("denied", `AWS denies ${name} (${type}): its caller needs ${permission}`);
  if (is(ABSENT))
    return failed("absent", `there is no ${kind} ${name}: deploy it, or correct name and Region`);
  if (is(THROTTLED) || $metadata?.httpStatusCode === 429)
    return failed("throttled", `AWS wants fewer calls of ${name} (${type}): it is asked later`);
  if (message === "Region is missing")
    return failed("invalid", `no Region for ${name}: set AWS_REGION, or name it by its ARN`);
  return failed(
    "unavailable",
    `${name} is out of reach (${code ?? type ?? typeof error}): it is asked again`,
  );
}
