import { SecretError } from "./secret-error.ts";

const QUERY_PATH = "/secretsmanager/get";
const PATH_PREFIX = "/v1/";

/** Parameters of the Secrets Manager Agent, and the API's members that they stand for. */
const MEMBERS = new Map([
  ["secretId", "SecretId"],
  ["versionId", "VersionId"],
  ["versionStage", "VersionStage"],
  // an answer is always of now
  ["refreshNow", undefined],
]);

/**
 * The members of GetSecretValue in a GET of the Secrets Manager Agent's form:
 * `/secretsmanager/get?secretId=…&versionStage=…`, or `/v1/<name>?…`. Undefined: it is of no form.
 *
 * @throws SecretError
 */
export function membersOfGet(url: string): Readonly<Record<string, string>> | undefined {
  const [path = "", query = ""] = url.split("?", 2);
  const isByPath = path.startsWith(PATH_PREFIX);
  if (path !== QUERY_PATH && !isByPath) return undefined;
  const members: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!MEMBERS.has(name) || (isByPath && name === "secretId"))
      throw new SecretError(
        "InvalidParameterException",
        "the query may have secretId, versionId, versionStage and refreshNow",
      );
    const member = MEMBERS.get(name);
    if (member !== undefined) members[member] = value;
  }
  return isByPath ? { ...members, SecretId: decoded(path.slice(PATH_PREFIX.length)) } : members;
}

/** @throws SecretError if it is no text in UTF-8. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new SecretError("InvalidParameterException", "the path is not UTF-8", { cause });
  }
}
