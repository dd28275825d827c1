import type { Client } from "./client.ts";

/** What a client did. */
export interface Counted {
  readonly client: Client;
  readonly statements: number;
  /** Users that it was at the database. */
  readonly users: number;
  /** What failed while leases changed. */
  readonly failed: readonly string[];
  /** What failed when all leases were revoked. */
  readonly revoked: readonly string[];
  /** After that, until it worked as another user. Undefined: it did not. */
  readonly secondsUntilAgain: number | undefined;
  /** Whether it did, or said no user, or nothing was revoked. */
  readonly isBack: boolean;
}

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

/** SQLSTATEs, or the first word where there is none. */
function codesIn(failed: readonly string[]): string {
  const codes = failed.map((words) => /\b(57P01|42501|08\w{3}|28\w{3})\b/.exec(words)?.[1]);
  const named = [...new Set(codes.filter((code) => code !== undefined))].sort();
  return named.length === 0 ? "" : ` (${named.join(", ")})`;
}

/** The same words once, with how often; users are no difference. */
function counted(failed: readonly string[]): readonly string[] {
  const times = new Map<string, number>();
  for (const words of failed) {
    const same = words.replaceAll(/mf_\w+/g, "mf_…");
    times.set(same, (times.get(same) ?? 0) + 1);
  }
  return [...times].map(([words, count]) => (count === 1 ? words : `${words} (${count} times)`));
}

/** A table for Markdown, and the words of whatever failed. */
export function rendered(
  clients: readonly Client[],
  steady: readonly Counted[],
  resting: readonly Counted[],
): string {
  const of = (client: Client, all: readonly Counted[]): Counted | undefined =>
    all.find((each) => each.client.name === client.name);
  const rows = clients.flatMap((client) => {
    const [busy, rested] = [of(client, steady), of(client, resting)];
    if (busy === undefined) return [];
    const { statements, users, failed, revoked, secondsUntilAgain, isBack } = busy;
    return [
      row(
        client.name,
        statements,
        users === 0 ? "–" : users,
        failed.length,
        `${revoked.length}${codesIn(revoked)}`,
        secondsUntilAgain?.toFixed(1) ?? (isBack ? "–" : "never"),
        rested?.statements ?? "–",
        rested?.failed.length ?? "–",
      ),
    ];
  });
  const words = [
    ...[...steady, ...resting].flatMap(({ client, failed }) =>
      counted(failed).map((each) => `${client.name}: ${each}`),
    ),
    ...steady.flatMap(({ client, revoked }) =>
      counted(revoked).map((each) => `${client.name}, when all was revoked: ${each}`),
    ),
  ];
  return [
    "",
    row(
      "Client",
      "Statements",
      "Users",
      "Failed",
      "Revoked",
      "Again after s",
      "With rests",
      "Failed",
    ),
    row("---", "---:", "---:", "---:", "---", "---:", "---:", "---:"),
    ...rows,
    "",
    ...words,
  ].join("\n");
}
