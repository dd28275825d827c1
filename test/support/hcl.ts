import { runInNewContext } from "node:vm";
import hcl from "hcl2-parser";

/** A parsed file of Terraform: blocks by kind, expressions as `${…}` in texts. */
export type Hcl = Readonly<Record<string, unknown>>;

/** @throws Error if the text is no HCL. */
export function parseHcl(text: string): Hcl {
  const [parsed] = hcl.parseToObject(text) as [Hcl | null];
  if (parsed === null) throw new Error(`no HCL: ${text.slice(0, 200)}`);
  return parsed;
}

/** What expressions can refer to: `var`, `local`, `data`, `each`. */
export type Scope = Readonly<Record<string, unknown>>;

type List = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Terraform's functions, those that the module calls. */
const FUNCTIONS = {
  alltrue: (list: readonly boolean[]) => list.every(Boolean),
  can: (run: () => unknown) => {
    try {
      return run() !== undefined;
    } catch {
      return false;
    }
  },
  concat: (...lists: readonly unknown[][]) => lists.flat(),
  entries: (list: List) =>
    Array.isArray(list) ? list.map((each) => [each, each]) : Object.entries(list),
  jsonencode: JSON.stringify,
  length: (list: List) => Object.keys(list).length,
  regex: (pattern: string, text: string) => {
    const found = new RegExp(pattern).exec(text);
    if (found === null) throw new Error(`${text} does not match ${pattern}`);
    return found[0];
  },
  replace: (text: string, part: string, by: string) => text.replaceAll(part, by),
  split: (separator: string, text: string) => text.split(separator),
  splat: (value: unknown) => (value === null ? [] : [value].flat()),
  trimprefix: (text: string, prefix: string) =>
    text.startsWith(prefix) ? text.slice(prefix.length) : text,
  upper: (text: string) => text.toUpperCase(),
  values: (map: object) => Object.values(map),
};

/**
 * The value of something parsed. A policy inside `jsonencode` is returned as an object.
 *
 * @throws Error for a function or a reference that is not there.
 */
export function evaluate(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((each) => evaluate(each, scope));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [
        String(evaluate(key, scope)),
        evaluate(each, scope),
      ]),
    );
  if (typeof value !== "string" || !value.includes("${")) return value;
  const whole = wholeExpression(value);
  const document = /^jsonencode\((\{.*\})\)$/s.exec(whole ?? "")?.[1];
  if (document !== undefined) {
    const { locals } = parseHcl(`locals {\n  it = ${document}\n}\n`);
    return evaluate((locals as [{ readonly it: unknown }])[0].it, scope);
  }
  return run(whole ?? `"${value}"`, scope);
}

const run = (expression: string, scope: Scope): unknown =>
  // values of another context have other prototypes, and would equal nothing here
  structuredClone(runInNewContext(`(${toJavaScript(expression)})`, { ...FUNCTIONS, $: scope }));

/** `a` of `${a}`. Undefined for a text with other parts. */
function wholeExpression(text: string): string | undefined {
  if (!text.startsWith("${")) return undefined;
  const end = closing(text, 1);
  return end === text.length - 1 ? text.slice(2, end) : undefined;
}

/** Where the bracket at `start` is closed. Brackets in quoted texts do not count. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '"') at = endOfText(text, at);
    else if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  throw new Error(`a bracket of ${text} is not closed`);
}

/** Where the quoted text that starts here ends. */
function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text.startsWith("${", at)) at = closing(text, at + 1);
    else if (text[at] === '"') return at;
  }
  throw new Error(`a text in ${text} does not end`);
}

/** An expression of HCL as one of JavaScript: both write most of it alike. */
function toJavaScript(expression: string): string {
  let out = "";
  let plain = "";
  const add = (translated: string): void => {
    out += `${plainToJavaScript(plain)}${translated}`;
    plain = "";
  };
  for (let at = 0; at < expression.length; at += 1) {
    const character = expression.charAt(at);
    if (character === '"') {
      const end = endOfText(expression, at);
      add(textOf(expression.slice(at + 1, end)));
      at = end;
    } else if (/^[[{]\s*for\s/.test(expression.slice(at))) {
      const end = closing(expression, at);
      add(loopOf(expression.slice(at, end + 1)));
      at = end;
    } else plain += character;
  }
  add("");
  return out;
}

/** Without texts and loops. */
const plainToJavaScript = (expression: string): string =>
  expression
    .replaceAll(/\b(var|local|data|each)\b(?=\.)/g, "$.$1")
    .replaceAll(/([$\w.]+)\[\*\]/g, "splat($1)")
    .replaceAll(/\bcan\(/g, "can(() => ");

function textOf(text: string): string {
  let out = "";
  for (let at = 0; at < text.length; at += 1) {
    if (!text.startsWith("${", at)) {
      out += text.charAt(at).replace("`", "\\`");
      continue;
    }
    const end = closing(text, at + 1);
    out += `\${${toJavaScript(text.slice(at + 2, end))}}`;
    at = end;
  }
  return `\`${out}\``;
}

const LOOP = /^[[{]\s*for\s+(\w+)(?:\s*,\s*(\w+))?\s+in\s+(.+?)\s+:\s+(.+?)\s*[\]}]$/s;

/** `[for a in list : b]` and `{ for k, v in map : c => d }`. */
function loopOf(text: string): string {
  const [, first = "", second, list = "", body = ""] = LOOP.exec(text) ?? [];
  const names = second === undefined ? `_, ${first}` : `${first}, ${second}`;
  const over = `entries(${toJavaScript(list)})`;
  if (text.startsWith("[")) return `${over}.map(([${names}]) => ${toJavaScript(body)})`;
  const [key = "", value = ""] = body.split(/\s+=>\s+/);
  return `Object.fromEntries(${over}.map(([${names}]) => [${toJavaScript(key)}, ${toJavaScript(value)}]))`;
}
