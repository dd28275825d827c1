import { randomInt } from "node:crypto";
import type { GetRandomPasswordRequest } from "@aws-sdk/client-secrets-manager";
import { AwsError } from "./aws-error.ts";

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
    .map((kind) => [...kind].filter((each) => !request.ExcludeCharacters?.includes(each)))
    .filter((kind) => kind.length > 0);
  const required = (request.RequireEachIncludedType ?? true) ? kinds : [];
  if (kinds.length === 0 || length < Math.max(1, required.length) || length > 4_096)
    throw new AwsError(
      "InvalidParameterException",
      `a password of ${length} characters cannot be made of what is left after the exclusions`,
    );
  const all = kinds.flat();
  const characters = [
    ...required.map((kind) => pick(kind)),
    ...Array.from({ length: length - required.length }, () => pick(all)),
  ];
  for (let last = characters.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    const moved = characters[last] ?? "";
    characters[last] = characters[other] ?? "";
    characters[other] = moved;
  }
  return characters.join("");
}

const pick = (from: readonly string[]): string => from[randomInt(from.length)] ?? "";
