import type { CredentialVariables } from "./identity-facts.ts";

/** Where the SDK takes credentials from. */
export type CredentialSource =
  | "keys"
  | "profile"
  | "web-identity"
  | "container"
  | "instance"
  | "none";

/** Whether the SDK would find something there, in the order in which the SDK for JavaScript looks. */
const SOURCES: readonly (readonly [CredentialSource, (from: CredentialVariables) => boolean])[] = [
  // AWS_PROFILE goes before keys
  ["keys", ({ keys, profile }) => keys !== "none" && (profile ?? "default") === "default"],
  ["profile", ({ profile }) => profile !== undefined],
  ["web-identity", ({ roleArn, tokenFile }) => roleArn !== undefined && tokenFile !== undefined],
  ["container", ({ fullUri, relativeUri }) => fullUri !== undefined || relativeUri !== undefined],
  ["instance", ({ isMetadataOff }) => !isMetadataOff],
  ["none", () => true],
];

/** Every source that has something, in the SDK's order: it takes the first. */
export const sourcesIn = (variables: CredentialVariables): readonly CredentialSource[] =>
  SOURCES.filter(([, has]) => has(variables)).map(([source]) => source);

export const sourceIn = (variables: CredentialVariables): CredentialSource =>
  sourcesIn(variables)[0] ?? "none";

/** A source in words, with the variables that name it. */
export function sourceInWords(source: CredentialSource, from: CredentialVariables): string {
  switch (source) {
    case "keys":
      return "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    case "profile":
      return `the profile ${from.profile}`;
    case "web-identity":
      return `web identity: AWS_ROLE_ARN ${from.roleArn}, AWS_WEB_IDENTITY_TOKEN_FILE ${from.tokenFile}`;
    case "container":
      return from.relativeUri === undefined
        ? `container credentials: AWS_CONTAINER_CREDENTIALS_FULL_URI ${from.fullUri}`
        : "container credentials: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
    case "instance":
      return "the instance's metadata (IMDSv2)";
    case "none":
      return "none";
    default:
      return source satisfies never;
  }
}

/** Whether EKS Pod Identity has put its variables there: nothing else in a cluster does. */
export const isPodIdentity = ({
  platform,
  fullUri,
}: Pick<CredentialVariables, "platform" | "fullUri">): boolean =>
  platform === "kubernetes" && fullUri !== undefined;
