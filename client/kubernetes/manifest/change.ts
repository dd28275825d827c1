import { listIn, type Made, mapIn, textIn, type Written, type WrittenMap } from "./written.ts";

/** Keys and indexes from a document to a part of it. */
export type Path = readonly (string | number)[];

/** One thing that is changed in a document. */
export type Change =
  /** In the list `key` of the map at `at`, the items with one of these names are replaced. */
  | {
      readonly kind: "items";
      readonly at: Path;
      readonly key: string;
      readonly names: readonly string[];
      /** Undefined: there is to be none. */
      readonly item: Made | undefined;
      /** Where it goes: the first one always, the last one if there is none yet. */
      readonly position: "first" | "last";
    }
  /** In the map at `at`, the entry `key` has this value, or is gone. */
  | {
      readonly kind: "entry";
      readonly at: Path;
      readonly key: string;
      readonly value: string | undefined;
    };

/** A document with its changes, as it must be read afterwards. */
export const changed = (document: Written, changes: readonly Change[]): Written =>
  changes.reduce<Written>((value, change) => at(value, change.at, change), document);

function at(value: Written, [key, ...path]: Path, change: Change): Written {
  if (key === undefined) return applied(mapIn(value), change);
  if (typeof key === "number")
    return listIn(value).map((each, index) => (index === key ? at(each, path, change) : each));
  const map = mapIn(value);
  return { ...map, [key]: at(map[key] ?? {}, path, change) };
}

function applied(map: WrittenMap, change: Change): WrittenMap {
  const { [change.key]: present, ...others } = map;
  if (change.kind === "entry")
    return change.value === undefined ? others : { ...map, [change.key]: change.value };
  const items = listIn(present);
  const isOwn = (item: Written): boolean => change.names.includes(textIn(mapIn(item).name));
  const made = change.item === undefined ? [] : [asWritten(change.item)];
  const first = items.findIndex(isOwn);
  if (first === -1) {
    if (made.length === 0) return map;
    const all = change.position === "first" ? [...made, ...items] : [...items, ...made];
    return { ...map, [change.key]: all };
  }
  const isMoved = change.position === "first" && made.length > 0;
  const left = [
    ...(isMoved ? made : []),
    ...items.slice(0, first),
    ...(isMoved ? [] : made),
    ...items.slice(first).filter((item) => !isOwn(item)),
  ];
  return left.length === 0 ? others : { ...map, [change.key]: left };
}

/** What is read of what is written: scalars are texts. */
export function asWritten(made: Made): Written {
  if (Array.isArray(made)) return (made as readonly Made[]).map(asWritten);
  if (typeof made !== "object") return String(made);
  return Object.fromEntries(Object.entries(made).map(([key, value]) => [key, asWritten(value)]));
}
