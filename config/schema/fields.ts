import * as v from "valibot";
import type { Key } from "./problems.ts";

/**
 * The message of a problem. `{value}` is filled in when the problem is rendered. If the field is
 * missing, the line says "missing" and the remedy.
 */
export const says = (fault: string, remedy: string): string => `{value} ${fault}; ${remedy}`;

/** A schema that reads `In` and returns `Out`. */
export type Field<In, Out = In> = v.GenericSchema<In, Out>;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The schema, applied only to values in which `faultOf` finds no fault. */
function guarded<Schema extends v.GenericSchema>(
  schema: Schema,
  faultOf: (value: unknown) => string | undefined,
): Schema {
  const run: Schema["~run"] = (dataset, config) => {
    const fault = faultOf(dataset.value);
    return fault === undefined
      ? schema["~run"](dataset, config)
      : v.never(fault)["~run"](dataset, config);
  };
  return { ...schema, "~run": run };
}

/** Text that matches a pattern. */
export function text(
  rule: RegExp | ((text: string) => boolean),
  fault: string,
  remedy: string,
): Field<string> {
  const message = says(fault, remedy);
  return rule instanceof RegExp
    ? v.pipe(v.string(message), v.regex(rule, message))
    : v.pipe(v.string(message), v.check(rule, message));
}

/** True or false. */
export const boolean = (): Field<boolean> =>
  v.boolean(says("is not true or false", "write one of them, without quotes"));

/** The message for a value that is not a whole number from `min` to `max`. */
export const notWhole = (min: number, max: number): string =>
  says(`is not a whole number from ${min} to ${max}`, "write one");

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): Field<number> {
  const message = notWhole(min, max);
  const number = v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
  return v.config(number, { abortPipeEarly: true });
}

type PathItem = v.UnknownPathItem;

const itemAt = (key: Key): PathItem => ({
  type: "unknown",
  origin: "value",
  input: undefined,
  key,
  value: undefined,
});

/** A list of at least one, without repetitions. */
export function list<In>(
  remedy: string,
  element: Field<In, string>,
): Field<readonly In[], readonly string[]> {
  const message = says("is not a list of at least one", remedy);
  return v.pipe(
    v.array(element, message),
    v.minLength(1, message),
    v.rawCheck(({ dataset, addIssue }) => {
      const values: unknown = dataset.value;
      if (!Array.isArray(values)) return;
      for (const [index, value] of values.entries())
        if (typeof value === "string" && values.indexOf(value) < index)
          addIssue({ message: says("is there twice", "remove one"), path: [itemAt(index)] });
    }),
  );
}

/** The message for a missing field: the one its schema gives for a wrong value. */
function messageOf(schema: unknown): string {
  const { message }: { message?: unknown } = isRecord(schema) ? schema : {};
  if (typeof message === "string") return message;
  return typeof message === "function"
    ? String(message({ expected: "Object" }))
    : says("is wrong", "write it");
}

/** Keys that valibot silently ignores. */
const RESERVED = ["__proto__", "constructor", "prototype"];

function faultOfReserved(value: unknown, fault: string): string | undefined {
  const reserved = RESERVED.find((each) => isRecord(value) && Object.hasOwn(value, each));
  return reserved && `"${reserved}" ${fault}`;
}

/** An object with these keys and no others. `remedy` is for values that are not objects. */
export function object<const Entries extends v.ObjectEntries>(
  entries: Entries,
  remedy: string,
): v.StrictObjectSchema<Entries, string> {
  const notObject = says("is not an object", remedy);
  const unknownKey = v.never(`unknown key; known are ${Object.keys(entries).join(", ")}`);
  const nothing = v.optional(unknownKey);
  const schema = v.objectWithRest(entries, nothing, ({ expected, path }) =>
    expected === "Object" ? notObject : messageOf(entries[String(path?.at(-1)?.key)]),
  );
  // strictObject would report only the first unknown key
  return guarded(schema, (value) =>
    Array.isArray(value) ? notObject : faultOfReserved(value, "is an unknown key; remove it"),
  ) as unknown as v.StrictObjectSchema<Entries, string>;
}

/** A kind of name: its pattern, the rule in words, and the remedy if there is no name. */
export interface NameKind {
  readonly pattern: RegExp;
  readonly rule: string;
  readonly remedy: string;
  readonly mayBeEmpty?: boolean;
}

/** An object whose keys are names. */
export function named<Schema extends v.GenericSchema>(
  entry: Schema,
  { pattern, rule, remedy, mayBeEmpty = false }: NameKind,
): Field<
  Readonly<Record<string, v.InferInput<Schema>>>,
  Readonly<Record<string, v.InferOutput<Schema>>>
> {
  const notObject = says("is not an object", remedy);
  const name = text(pattern, "is not a name", `write ${rule}`);
  const schema = v.pipe(
    v.record(name, entry, notObject),
    v.check((value) => mayBeEmpty || Object.keys(value).length > 0, says("is empty", remedy)),
  );
  return guarded(schema, (value) => {
    if (Array.isArray(value)) return notObject;
    return faultOfReserved(value, "is not a name that can be used; write another");
  });
}

/**
 * One of several schemas, chosen by the value. For types and editors it is any of them.
 *
 * @param kindOf returns the key of the schema that fits the value, or `undefined`.
 * @param otherwise reports the problem if no schema fits.
 */
export function oneOf<const Kinds extends Readonly<Record<string, v.GenericSchema>>>(
  kinds: Kinds,
  kindOf: (value: Readonly<Record<string, unknown>>) => keyof Kinds | undefined,
  otherwise: v.GenericSchema,
  message: string,
): Kinds[keyof Kinds] {
  const noObject = v.never(message);
  const pick = (value: unknown): v.GenericSchema => {
    if (!isRecord(value)) return noObject;
    const kind = kindOf(value);
    return (kind === undefined ? undefined : kinds[kind]) ?? otherwise;
  };
  return { ...v.lazy(pick), kinds, message } as unknown as Kinds[keyof Kinds];
}

/** Reports a problem of the field at a path. The path starts at the object that the rule checks. */
export type Report = (path: readonly Key[], message: string) => void;

/** Whether no problem was found so far at a path, above it or below it. */
export type IsFine = (...path: readonly Key[]) => boolean;

/**
 * The schema with rules about several fields. The rules run even if some fields are wrong, and must
 * use only the correct ones.
 */
export function ruled<Schema extends v.GenericSchema, Value>(
  schema: Schema,
  check: (value: Value, report: Report, isFine: IsFine) => void,
): Schema {
  const rules = v.rawCheck<unknown>(({ dataset, addIssue }) => {
    const { value } = dataset;
    const paths = (dataset.issues ?? []).map(({ path }) => (path ?? []).map(({ key }) => key));
    if (!isRecord(value) || paths.some((path) => path.length === 0)) return;
    const isFine: IsFine = (...keys) =>
      !paths.some((path) => keys.slice(0, path.length).every((key, index) => path[index] === key));
    const report: Report = ([first, ...rest], message) =>
      addIssue({
        message,
        ...(first !== undefined && { path: [itemAt(first), ...rest.map(itemAt)] }),
      });
    check(value as Value, report, isFine);
  });
  return v.pipe(schema, rules) as unknown as Schema;
}

/** A remedy, followed by the existing names that can be used instead. */
export function orOneOf(remedy: string, value: unknown): string {
  const names = isRecord(value) ? Object.keys(value) : [];
  return names.length === 0 ? remedy : `${remedy}, or name one of ${names.join(", ")}`;
}

/** Whether an object has this name as a key. */
export const hasName = (value: unknown, name: string): boolean =>
  isRecord(value) && Object.hasOwn(value, name) && value[name] !== undefined;
