import { type BaseIssue, type GenericSchema, type InferOutput, safeParse } from "valibot";
import { ConfigError } from "../../core/errors.ts";

/** A key of an object, or an index of a list. */
export type Key = string | number;

/** Most characters of a value that are shown. ARNs are shown whole, because their ends differ. */
const LONGEST_SHOWN = 120;

const isRecord = (value: unknown): value is Readonly<Record<Key, unknown>> =>
  typeof value === "object" && value !== null;

/** A CDK Duration, which can describe itself. */
const inWords = (value: unknown): unknown =>
  isRecord(value) && typeof value.toHumanString === "function" ? value.toHumanString() : value;

/** A value as JSON has it; numbers and what JSON cannot hold, such as a circle, in other words. */
function written(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  try {
    return JSON.stringify(inWords(value)) ?? String(value);
  } catch (error) {
    return `something that JSON cannot hold (${error instanceof Error ? error.name : "unknown"})`;
  }
}

/** A login pasted where its secret's name belongs: `"password":"…"`, `password=…`, `//user:…@host`. */
const LOGIN = /password\\?["']?\s*[:=]|:\/\/[^/\s:@]*:[^@\s]+@/i;

function show(value: unknown): string {
  const text = written(value);
  if (LOGIN.test(text)) return "a value with a password in it";
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

/** A path such as `databases.orders.roles[0]`. Keys with special characters are quoted. */
export const formatPath = (keys: readonly Key[]): string =>
  keys
    .map((key) =>
      typeof key === "number" || !/^[\w-]+$/.test(key) ? `[${JSON.stringify(key)}]` : `.${key}`,
    )
    .join("")
    .replace(/^\./, "");

const valueAt = (input: unknown, keys: readonly Key[]): unknown =>
  keys.reduce<unknown>(
    (value, key) => (isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    input,
  );

/**
 * `{value}` is replaced by the wrong value, `{name}` by the value of the field `name` beside it.
 */
const PLACEHOLDER = /\{(\w+)\}/g;

/**
 * One problem as a line: `path: value fault; remedy`, or `path: missing; remedy` if there is no
 * value.
 */
function lineOf(input: unknown, issue: BaseIssue<unknown>, root: readonly Key[]): string {
  const items = issue.path ?? [];
  const keys = items.map(({ key }) => key as Key);
  const parents = keys.slice(0, -1);
  const last = items.at(-1);
  const isName = last?.origin === "key" && valueAt(input, keys) !== undefined;
  const value = isName ? last?.key : valueAt(input, keys);
  const remedy = issue.message.replace(/^\{value\}.*?; /, "missing; ");
  const text = value === undefined ? remedy : issue.message;
  const filled = text.replaceAll(PLACEHOLDER, (_, word: string) =>
    show(word === "value" ? value : valueAt(input, [...parents, word])),
  );
  return `${formatPath([...root, ...keys]) || "config"}: ${filled}`;
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null)
    for (const inner of Object.values(Object.freeze(value))) freeze(inner);
  return value;
}

/** Options of {@link parse}. */
export interface ParseOptions {
  /**
   * The path of the value, put before every path. Default: none, the value is the whole
   * configuration.
   */
  readonly path?: readonly Key[];
  /** Problems that were found before. */
  readonly problems?: readonly string[];
}

/**
 * Check a value against a schema, and convert it.
 *
 * @returns the result of `convert`, frozen.
 * @throws ConfigError with every problem, one per line: path, value, remedy.
 */
export function parse<Schema extends GenericSchema<unknown, unknown>, Result>(
  schema: Schema,
  value: unknown,
  convert: (output: InferOutput<Schema>) => Result,
  { path = [], problems = [] }: ParseOptions = {},
): Result {
  const { issues = [], output, success } = safeParse(schema, value);
  const all = [...problems, ...issues.map((issue) => lineOf(value, issue, path))];
  if (!success || all.length > 0) throw new ConfigError(all.join("\n"));
  return freeze(convert(output));
}
