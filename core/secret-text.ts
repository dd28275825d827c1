import { Secret } from "./secret.ts";
import type { SecretObject } from "./secret-store.ts";

/** The text from which a secret was parsed; copies of the object keep it. */
const SOURCE = Symbol("source");

interface Source {
  readonly text: Secret;
  /** The parsed object: unchanged members keep their bytes. */
  readonly members: Readonly<Record<string, unknown>>;
}

/** The keys of a secret's JSON that are wrapped in {@link Secret} as soon as they are parsed. */
const SECRET_KEYS = ["password", "pepper"];

/**
 * The byte order mark: Windows editors and shells put it before the text; JSON must not have one
 * (RFC 8259, section 8.1).
 */
const BYTE_ORDER_MARK = /^\uFEFF/;

/** The tokens of a JSON text, without white space. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** Parse a secret's JSON. Undefined if it is not an object. A byte order mark is ignored. */
export function parseSecretText(text: string): SecretObject | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(BYTE_ORDER_MARK, ""));
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const members: Record<string, unknown> = { ...value };
    for (const key of SECRET_KEYS)
      if (typeof members[key] === "string") members[key] = new Secret(members[key]);
    const source: Source = { text: new Secret(text), members };
    return { ...members, [SOURCE]: source };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // its message quotes the text
    throw error;
  }
}

/**
 * A secret's JSON with secret values in clear text: only for Secrets Manager. If the secret was
 * parsed, unchanged parts keep their bytes: numbers that JavaScript cannot represent, white space,
 * escapes, duplicate keys. Members are changed or added, never removed.
 */
export function renderSecret(value: SecretObject): string {
  const { [SOURCE]: source } = value as { readonly [SOURCE]?: Source };
  const changed = new Map<string, string>();
  for (const [key, each] of Object.entries(value)) {
    const known = source !== undefined && Object.hasOwn(source.members, key);
    if (each !== undefined && !(known && source.members[key] === each))
      changed.set(key, JSON.stringify(each instanceof Secret ? each.reveal() : each));
  }
  return withMembers(source?.text.reveal() ?? "{}", changed);
}

function withMembers(text: string, changed: ReadonlyMap<string, string>): string {
  const members = membersOf(text);
  let out = "";
  let at = 0;
  for (const { key, start, end } of members) {
    out += text.slice(at, start) + (changed.get(key) ?? text.slice(start, end));
    at = end;
  }
  const known = new Set(members.map(({ key }) => key));
  const added = [...changed]
    .filter(([key]) => !known.has(key))
    .map(([key, value]) => `${JSON.stringify(key)}:${value}`)
    .join(",");
  if (members.length > 0) return out + (added && `,${added}`) + text.slice(at);
  const inside = text.indexOf("{") + 1;
  return text.slice(0, inside) + added + text.slice(inside);
}

interface Member {
  readonly key: string;
  /** The position of its value in the text. */
  readonly start: number;
  readonly end: number;
}

/** The members of the JSON object `text`, in order, without the members of nested objects. */
function membersOf(text: string): readonly Member[] {
  const members: Member[] = [];
  let depth = 0;
  let member: Member | undefined;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (depth === 1 && member !== undefined && /^[,}]/.test(token)) {
      members.push(member);
      member = undefined;
    }
    if (/^[}\]]/.test(token)) depth -= 1;
    const end = index + token.length;
    if (member === undefined && token.startsWith('"'))
      member = { key: JSON.parse(token) as string, start: end, end };
    else if (member !== undefined && !(depth === 1 && token === ":"))
      member = { ...member, start: member.start === member.end ? index : member.start, end };
    if (/^[{[]/.test(token)) depth += 1;
  }
  return members;
}
