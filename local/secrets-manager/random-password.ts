import { randomInt } from "node:crypto";
import type { GetRandomPasswordRequest } from "@aws-sdk/client-secrets-manager";
import { AwsError } from "../http/aws-error.ts";
import { assertConstraints } from "../http/check-constraints.ts";

/** `GetRandomPassword`, and the part of `GenerateSecretString` that is the same. */
export function randomPassword(request: GetRandomPasswordRequest): string {
  assertConstraints("secretsmanager", "GetRandomPassword", request);
  const length = Number(request.PasswordLength ?? 32);
  const kinds = [
    request.ExcludeLowercase ? "" : "abcdefghijklmnopqrstuvwxyz",
    request.ExcludeUppercase ? "" : "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    request.ExcludeNumbers ? "" : "0123456789",
    request.ExcludePunctuation ? "" : "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
  ]
    .map((kind) => kind.split("").filter((each) => !request.ExcludeCharacters?.includes(each)))
    .filter((kind) => kind.length > 0);
  // a space may occur, but is no required kind
  const space = request.IncludeSpace && !request.ExcludeCharacters?.includes(" ") ? [" "] : [];
  const required = (request.RequireEachIncludedType ?? true) ? kinds : [];
  const all = [...kinds.flat(), ...space];
  if (all.length === 0 || length < Math.max(1, required.length))
    throw new AwsError(
      "InvalidParameterException",
      `a password of ${length} characters cannot be made of what is left after the exclusions`,
    );
  for (;;) {
    const password = Array.from({ length }, () => all[randomInt(all.length)]);
    // draw the whole password again until every kind occurs: any other way makes some passwords
    // likelier
    if (required.every((kind) => kind.some((each) => password.includes(each))))
      return password.join("");
  }
}
