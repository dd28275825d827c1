import { ConfigError } from "../../../core/errors.ts";
import { ALIAS_ARN } from "../../keeper/sources/issuer.ts";

/** What takes the place of a path in Vault. */
export interface Target {
  readonly kind: "lease" | "secret";
  /** A lease's `database/role` or the ARN of its alias; a secret's name or ARN. */
  readonly id: string;
}

/** Paths in Vault, without slashes around them, to what takes their place. */
export type Targets = ReadonlyMap<string, Target>;

const CREDENTIALS = /(?:^|\/)creds\/[^/]+$/;
const STATIC_CREDENTIALS = /(?:^|\/)static-creds\/[^/]+$/;
const LEASE = /^[a-z0-9][a-z0-9-]*\/[a-z0-9][a-z0-9-]*$/;
const SECRET = /^(?:name:)?[\w/+=.@-]{1,512}$|^arn:aws[a-z-]*:secretsmanager:[\w:/+=.@-]+$/;

/** A path as Vault reads it: spaces and slashes around it mean nothing. */
export const plainPath = (path: string): string => path.trim().replaceAll(/^\/+|\/+$/g, "");

/** How a path's engine answers: users of a lease, an existing user, or any keys. */
export type PathKind = "lease" | "static-role" | "key-value";

/** By the path alone: an engine may be mounted anywhere. */
export function kindOfPath(path: string): PathKind {
  if (CREDENTIALS.test(path)) return "lease";
  return STATIC_CREDENTIALS.test(path) ? "static-role" : "key-value";
}

/**
 * What `--map` says.
 *
 * @param written e.g. `database/creds/readonly=orders/readonly`. Without `lease:` or `secret:`
 *   before the target, the ARN or the kind of the path tells what it is.
 * @throws ConfigError with every problem, one per line
 */
export function parseTargets(written: readonly string[]): Targets {
  const targets = new Map<string, Target>();
  const problems: string[] = [];
  for (const each of written) {
    const found = targetIn(each);
    if (typeof found === "string") problems.push(`--map ${each}: ${found}`);
    else {
      const { path, target } = found;
      const before = targets.get(path);
      if (before !== undefined && (before.id !== target.id || before.kind !== target.kind))
        problems.push(`--map ${each}: ${path} leads to ${before.id} already; name it once`);
      targets.set(path, target);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return targets;
}

const EXAMPLE = "write database/creds/readonly=orders/readonly";

/** @returns words if it is wrong. */
function targetIn(written: string): { readonly path: string; readonly target: Target } | string {
  const [, left = "", kind, id = ""] = /^([^=]+)=(?:(lease|secret):)?(.+)$/.exec(written) ?? [];
  const path = plainPath(left);
  if (path === "" || id === "") return `is no path and its target; ${EXAMPLE}`;
  const target: Target = { kind: (kind as Target["kind"]) ?? kindOfTarget(path, id), id };
  if (target.kind === "lease" && !LEASE.test(id) && !ALIAS_ARN.test(id))
    return `${id} is no lease; write its database/role, or the ARN of its alias`;
  if (target.kind === "secret" && !SECRET.test(id))
    return `${id} is no secret; write its name or ARN in Secrets Manager`;
  return { path, target };
}

function kindOfTarget(path: string, id: string): Target["kind"] {
  if (/^arn:aws[a-z-]*:lambda:/.test(id)) return "lease";
  if (/^arn:aws[a-z-]*:secretsmanager:/.test(id)) return "secret";
  return kindOfPath(path) === "lease" ? "lease" : "secret";
}

/** Letters, digits and `-_.` of a target: a login's name in annotations. At most 40 characters. */
const nameOf = ({ id }: Target): string =>
  (id.split(":").at(-1) ?? id)
    .replaceAll(/[^A-Za-z0-9_.-]+/g, "-")
    .slice(0, 40)
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "") || "login";

/** Names for logins, one for each target, in order. */
export class LoginNames {
  readonly #names = new Map<string, string>();

  of(target: Target): string {
    const key = `${target.kind}:${target.id}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const taken = new Set(this.#names.values());
    const wanted = nameOf(target);
    let name = wanted;
    for (let number = 2; taken.has(name); number += 1) name = `${wanted}-${number}`;
    this.#names.set(key, name);
    return name;
  }
}

/** The options that name the paths, for whoever writes them. */
export const mapOptions = (paths: Iterable<string>): string =>
  [...paths]
    .map((path) => {
      const target = kindOfPath(path) === "lease" ? "<database>/<role>" : "<ARN of the secret>";
      return `--map '${path.replaceAll("'", "'\\''")}=${target}'`;
    })
    .join(" ");
