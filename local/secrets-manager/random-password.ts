import { randomInt } from "node:crypto";
import type { GetRandomPasswordRequest } from "@aws-sdk/client-secrets-manager";
import { AwsError } from "../http/aws-error.ts";

/** `GetRandomPassword`, and the part of `GenerateSecretString` that is the same. */
export function randomPassword(request: GetRandomPasswordRequest): string {
  const length = Number(request.PasswordLength ?? 32);
  const kinds = [
    request.ExcludeLowercase ? "" : "abcdefghijklmnopqrstuvwxyz",
    request.ExcludeUppercase ? "" : "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    request.ExcludeNumbers ? "" : "0123456789",
    request.ExcludePunctuation ? "" : "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    request.IncludeSpace ? " " : "",
  ]
    .map((kind) => kind.split("").filter((each) => !request.ExcludeCharacters?.includes(each)))
    .filter((kind) => kind.length > 0);
  const required = (request.RequireEachIncludedType ?? true) ? kinds : [];
  if (kinds.length === 0 || length < Math.max(1, required.length) || length > 4_096)
    throw new AwsError(
      "InvalidParameterException",
      `a password of ${length} characters cannot be made of what is left after the exclusions`,
    );
  const all = kinds.flat();
  for (;;) {
    const password = Array.from({ length }, () => all[randomInt(all.length)]);
    // Drawn again as a whole until every kind is there: any other way makes some passwords likelier.
    if (required.every((kind) => kind.some((each) => password.includes(each))))
      return password.join("");
  }
}
