/**
 * Manifests as they are read: every scalar is a text. What is a number or a truth to Kubernetes is
 * written as in JSON: `yes` is `true`, `0400` is `256`, and null is empty. Nothing of the shape is
 * known for sure.
 */
export type Written = string | readonly Written[] | { readonly [key: string]: Written };

export type WrittenMap = Readonly<Record<string, Written>>;

/** A map, or an empty one for anything else. */
export const mapIn = (value: Written | undefined): WrittenMap =>
  typeof value === "object" && !Array.isArray(value) ? (value as WrittenMap) : {};

/** A list, or an empty one for anything else. */
export const listIn = (value: Written | undefined): readonly Written[] =>
  Array.isArray(value) ? (value as readonly Written[]) : [];

/** A text, or an empty one for anything else. */
export const textIn = (value: Written | undefined): string =>
  typeof value === "string" ? value : "";

/** Value of a manifest that this program writes. */
export type Made = string | number | boolean | readonly Made[] | { readonly [key: string]: Made };
