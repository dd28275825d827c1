import type { Secret } from "../../../core/secret.ts";

/** A text in which secrets are `[secret]`, also as URLs, JSON and base64 have them. */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  const forms = secrets
    .map((secret) => secret.reveal())
    .filter((value) => value !== "")
    .flatMap((value) => [
      value,
      // half a surrogate pair has no UTF-8
      encodeURIComponent(value.toWellFormed()),
      JSON.stringify(value).slice(1, -1),
      Buffer.from(value).toString("base64"),
    ])
    .toSorted((a, b) => b.length - a.length);
  return forms.reduce((left, form) => left.replaceAll(form, "[secret]"), text);
}
