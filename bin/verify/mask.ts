/** Replaces identifiers of accounts, servers and sessions. One identifier always gets one text. */
export type Mask = (text: string) => string;

/** Patterns of identifiers and their replacements. Order matters: long forms come first. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\bmf_[a-z2-7]{4}_[a-z0-9_-]+/g, "<user>"],
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, "<uuid>"],
  [/\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b/g, "<key>"],
  [/\b(?:[a-z0-9-]+\.)+amazonaws\.com(?:\.cn)?\b/gi, "<host>"],
  [
    /\b(?:vpc|vpce|subnet|sg|sgr|eni|rtb|acl|igw|nat|ami|snap|vol|i|eipalloc|pcx)-[0-9a-f]{8,17}\b/g,
    "<id>",
  ],
  [/\b(?:db|cluster)-[A-Z0-9]{20,}\b/g, "<id>"],
  // the end of a secret's ARN
  [/(:secret:[\w/+=.@!-]+)-[A-Za-z0-9]{6}\b/g, "$1-<suffix>"],
  // the session's name in the ARN of an assumed role
  [/(:assumed-role\/[\w+=,.@-]+)\/[\w+=,.@-]+/g, "$1/<session>"],
  [/(:user\/)[\w+=,.@/-]+/g, "$1<name>"],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, "<address>"],
  [/\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,7}\b/gi, "<address>"],
  [/(?<!\d)\d{12}(?!\d)/g, "<account>"],
];

/** Shorter names are not masked: they could be ordinary words. */
const SHORTEST_KNOWN = 8;

/**
 * A mask that also replaces names that no pattern matches.
 *
 * @param known such a name, e.g. a server's host or a resource's physical id, to its replacement.
 */
export function makeMask(known: ReadonlyMap<string, string> = new Map()): Mask {
  const names = [...known]
    .filter(([name]) => name.length >= SHORTEST_KNOWN)
    .sort(([a], [b]) => b.length - a.length);
  return (text) => {
    const named = names.reduce((rest, [name, stand]) => rest.replaceAll(name, `<${stand}>`), text);
    return PATTERNS.reduce((rest, [pattern, stand]) => rest.replaceAll(pattern, stand), named);
  };
}
