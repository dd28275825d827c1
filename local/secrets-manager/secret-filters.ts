import type { Filter, ListSecretsRequest } from "@aws-sdk/client-secrets-manager";
import { AwsError } from "../http/aws-error.ts";
import type { StoredSecret } from "./stored-secret.ts";

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly NextToken?: string | undefined;
}

/** The secrets that match every filter. A filter matches by one of its values. */
export function filtered(
  secrets: readonly StoredSecret[],
  filters: readonly Filter[],
): readonly StoredSecret[] {
  return secrets.filter((secret) =>
    filters.every(({ Key = "all", Values = [] }) =>
      Values.some((value) =>
        value.startsWith("!") ? !matches(secret, Key, value.slice(1)) : matches(secret, Key, value),
      ),
    ),
  );
}

/** By prefix; a description ignores case, and `all` compares the words of the value. */
function matches({ name, settings }: StoredSecret, key: string, value: string): boolean {
  const { Description = "", Tags = [] } = settings;
  const keys = Tags.map(({ Key = "" }) => Key);
  const values = Tags.map(({ Value = "" }) => Value);
  const start = (texts: readonly string[]): boolean => texts.some((each) => each.startsWith(value));
  if (key === "name") return start([name]);
  if (key === "tag-key") return start(keys);
  if (key === "tag-value") return start(values);
  const lower = value.toLowerCase();
  if (key === "description") return Description.toLowerCase().startsWith(lower);
  if (key !== "all")
    throw new AwsError(
      "InvalidParameterException",
      `the local runner filters secrets by name, description, tag-key, tag-value and all; got "${key}"`,
    );
  const all = [name, Description, ...keys, ...values].join(" ").toLowerCase();
  return lower.split(/\s+/).every((word) => all.includes(word));
}

/** In the order that ListSecrets asks for; by default the order of creation. */
export function sorted(
  secrets: readonly StoredSecret[],
  { SortBy = "created-date", SortOrder = "asc" }: ListSecretsRequest,
): readonly StoredSecret[] {
  if (SortBy !== "created-date" && SortBy !== "name")
    throw new AwsError(
      "InvalidParameterException",
      `the local runner sorts secrets by created-date and name; got "${SortBy}"`,
    );
  const ascending =
    SortBy === "name" ? secrets.toSorted((a, b) => (a.name < b.name ? -1 : 1)) : secrets;
  return SortOrder === "desc" ? ascending.toReversed() : ascending;
}

/** The page of a list for the token of the page before. */
export function pageOf<Item>(
  all: readonly Item[],
  { MaxResults, NextToken }: { MaxResults?: number | undefined; NextToken?: string | undefined },
): Page<Item> {
  const start = NextToken === undefined ? 0 : Number(Buffer.from(NextToken, "base64").toString());
  if (!Number.isInteger(start))
    throw new AwsError("InvalidNextTokenException", "The NextToken value is invalid.");
  const end = start + (MaxResults ?? 100);
  const rest = end < all.length ? Buffer.from(String(end)).toString("base64") : undefined;
  return { items: all.slice(start, end), NextToken: rest };
}
