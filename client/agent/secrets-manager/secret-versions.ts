import type { Login } from "../../keeper/keeper.ts";
import type { Publication, PublishedLogin } from "../publication.ts";
import { SecretError } from "./secret-error.ts";

export type Stage = "AWSCURRENT" | "AWSPREVIOUS";

/** A version of a secret that logs in. */
export interface ValidVersion {
  readonly published: PublishedLogin;
  readonly stage: Stage;
}

/** The newest, and the one before while it is valid. */
export const versionsOf = (
  newest: PublishedLogin,
  { previous }: Publication,
): readonly [ValidVersion, ...ValidVersion[]] => [
  { published: newest, stage: "AWSCURRENT" },
  ...(previous === undefined ? [] : [{ published: previous, stage: "AWSPREVIOUS" as const }]),
];

/** @throws SecretError if there is no such version, or id and stage are of two. */
export function chooseVersion(
  versions: readonly [ValidVersion, ...ValidVersion[]],
  { id, stage }: { readonly id: string | undefined; readonly stage: string | undefined },
): ValidVersion {
  const [current] = versions;
  if (id === undefined && stage === undefined) return current;
  const byId = versions.find(({ published }) => published.versionId === id);
  const byStage = versions.find((each) => each.stage === stage);
  if (id !== undefined && byId === undefined)
    throw new SecretError(
      "ResourceNotFoundException",
      "no version that is valid has this VersionId; ask for AWSCURRENT",
    );
  if (stage !== undefined && byStage === undefined)
    throw new SecretError(
      "ResourceNotFoundException",
      "no version that is valid has this VersionStage; ask for AWSCURRENT",
    );
  if (byId !== undefined && byStage !== undefined && byId !== byStage)
    throw new SecretError(
      "InvalidRequestException",
      "VersionId and VersionStage are of two versions; leave one out",
    );
  return byId ?? byStage ?? current;
}

/** The text of a secret: Secrets Manager's own, or AWS's keys of a database secret. */
export function secretText(login: Login): string {
  if (login.version !== undefined) return login.version.text.reveal();
  const { host, port, dbname, username, password } = login;
  return JSON.stringify({
    engine: "postgres",
    host,
    port,
    dbname,
    username,
    password: password.reveal(),
  });
}
