/** One place in a configuration: where it is, what stands there, and where complaints go. */
export interface Place {
  readonly path: string;
  readonly value: unknown;
  readonly problems: string[];
}

/** The place of one field or element. Keys that are no plain words are shown quoted. */
export function within(place: Place, key: string | number): Place {
  const step =
    typeof key === "number" || !/^[\w-]+$/.test(key) ? `[${JSON.stringify(key)}]` : `.${key}`;
  const value: unknown =
    typeof place.value === "object" && place.value !== null && Object.hasOwn(place.value, key)
      ? Reflect.get(place.value, key)
      : undefined;
  const path = place.path === "" ? step.replace(/^\./, "") : place.path + step;
  return { path, value, problems: place.problems };
}

/** Characters; an ARN, which ends in what tells it from others, is shown whole. */
const LONGEST_SHOWN = 120;

function show(value: unknown): string {
  const text =
    typeof value === "function" ? "a function" : (JSON.stringify(value) ?? String(value));
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

/** Report `path: value fault; remedy`, or `path: missing; remedy` where nothing stands. */
export function complain(place: Place, fault: string, remedy: string): undefined {
  const what = place.value === undefined ? "missing" : `${show(place.value)} ${fault}`;
  place.problems.push(`${place.path}: ${what}; ${remedy}`);
  return undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** True when an object stands here and all its keys are known; complains of each that is not. */
export function isObjectOf(place: Place, known: readonly string[], remedy: string): boolean {
  if (!isRecord(place.value)) {
    complain(place, "is not an object", remedy);
    return false;
  }
  for (const key of Object.keys(place.value))
    if (!known.includes(key))
      place.problems.push(`${within(place, key).path}: unknown key; known are ${known.join(", ")}`);
  return true;
}

/** A remedy, and the names that stand here, any of which will do as well. */
export function orOneOf(remedy: string, { value }: Place): string {
  const names = isRecord(value) ? Object.keys(value) : [];
  return names.length === 0 ? remedy : `${remedy}, or name one of ${names.join(", ")}`;
}

/** A kind of name: what it must match, that rule in words, and what to write where none stands. */
export interface NameKind {
  readonly pattern: RegExp;
  readonly rule: string;
  readonly remedy: string;
  readonly mayBeEmpty?: boolean;
}

/** Read an object whose keys are names; entries that cannot be read are left out. */
export function readNamed<T>(
  place: Place,
  kind: NameKind,
  read: (entry: Place) => T | undefined,
): Readonly<Record<string, T>> {
  if (!isRecord(place.value)) {
    complain(place, "is not an object", kind.remedy);
    return {};
  }
  const names = Object.keys(place.value);
  if (names.length === 0 && kind.mayBeEmpty !== true) complain(place, "is empty", kind.remedy);
  const entries: [string, T][] = [];
  for (const name of names) {
    const entry = within(place, name);
    if (!kind.pattern.test(name))
      place.problems.push(`${entry.path}: "${name}" is not a name; write ${kind.rule}`);
    const value = read(entry);
    if (value !== undefined) entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}

/** Read a string that passes `valid`. */
export function readText(
  place: Place,
  valid: (text: string) => boolean,
  fault: string,
  remedy: string,
): string | undefined {
  const { value } = place;
  return typeof value === "string" && valid(value) ? value : complain(place, fault, remedy);
}

/** Read a list of at least one thing, without repetitions. */
export function readList(
  place: Place,
  remedy: string,
  read: (element: Place) => string | undefined,
): readonly string[] {
  if (!Array.isArray(place.value) || place.value.length === 0) {
    complain(place, "is not a list of at least one", remedy);
    return [];
  }
  const found: string[] = [];
  for (const index of place.value.keys()) {
    const element = within(place, index);
    const text = read(element);
    if (text === undefined) continue;
    if (found.includes(text)) complain(element, "is there twice", "remove one");
    found.push(text);
  }
  return found;
}

/** Read a whole number from `min` to `max`, or take the fallback where nothing stands. */
export function readWhole(place: Place, min: number, max: number, fallback: number): number {
  const { value } = place;
  if (value === undefined) return fallback;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max)
    return value;
  complain(place, `is not a whole number from ${min} to ${max}`, "write one");
  return fallback;
}

/** Read a boolean, or take the fallback where nothing stands. */
export function readBoolean(place: Place, fallback: boolean): boolean {
  if (place.value === undefined) return fallback;
  if (typeof place.value === "boolean") return place.value;
  complain(place, "is not true or false", "write one of them, without quotes");
  return fallback;
}

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Read a length of time such as `"15m"`. The result is in seconds. */
export function readSeconds(place: Place): number | undefined {
  const match = typeof place.value === "string" ? /^(\d{1,9})([smhd])$/.exec(place.value) : null;
  if (match === null)
    return complain(place, "is not a duration", 'write a number and s, m, h or d, e.g. "1h"');
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
}
