import { randomUUID } from "node:crypto";
import { ConfigError } from "../../core/errors.ts";
import type { RotationSecrets, SecretDescription } from "../../core/rotation/rotation-ports.ts";
import type { SecretObject } from "../../core/secret-store.ts";

/** One secret in memory, with the labels of Secrets Manager and what its rotation does with them. */
export interface MemoryRotation {
  readonly arn: string;
  readonly secrets: RotationSecrets;
  /** Facts of DescribeSecret that a test wants otherwise. */
  readonly facts: {
    -readonly [Key in "rotationEnabled" | "owningService"]?: SecretDescription[Key];
  };
  /** Begin a rotation, or go on with the one that has not ended: the id of the pending version. */
  begin(): string;
  /** As `RotateImmediatelyOnUpdate: false` does: the pending version holds the current value. */
  beginProbe(): string;
  /** Put a version by hand; it becomes `AWSCURRENT`, or gets the label alone. */
  put(value: SecretObject, label?: string): string;
  valueOf(label: string): SecretObject | undefined;
  labels(): ReadonlyMap<string, readonly string[]>;
}

/** A secret whose first version is `value`. Others can be read beside it, by ARN, or by
 * ARN and label. */
export function memoryRotation(
  value: SecretObject,
  others: Readonly<Record<string, SecretObject>> = {},
): MemoryRotation {
  const arn = `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${randomUUID().slice(0, 8)}-AbCdEf`;
  const values = new Map<string, SecretObject>();
  const holders = new Map<string, string>();
  const known = new Set<string>();
  const move = (label: string, to: string): void => {
    const from = holders.get(label);
    holders.set(label, to);
    if (label === "AWSCURRENT" && from !== undefined && from !== to) move("AWSPREVIOUS", from);
  };
  const put: MemoryRotation["put"] = (given, label = "AWSCURRENT") => {
    const id = randomUUID();
    known.add(id);
    values.set(id, given);
    move(label, id);
    return id;
  };
  const labels = (): ReadonlyMap<string, readonly string[]> =>
    new Map(
      [...known].map((id) => [id, [...holders].filter(([, of]) => of === id).map(([l]) => l)]),
    );
  put(value);
  const facts: MemoryRotation["facts"] = { rotationEnabled: true };
  const begin = (): string => {
    const open = holders.get("AWSPENDING");
    if (open !== undefined && open !== holders.get("AWSCURRENT")) return open;
    const id = randomUUID();
    known.add(id);
    holders.set("AWSPENDING", id);
    return id;
  };
  return {
    arn,
    facts,
    begin,
    beginProbe: () => {
      const id = begin();
      values.set(id, values.get(holders.get("AWSCURRENT") ?? "") ?? {});
      return id;
    },
    put,
    valueOf: (label) => values.get(holders.get(label) ?? ""),
    labels,
    secrets: {
      describe: async (id) => ({ arn: id, tags: new Map(), ...facts, versions: labels() }),
      getSecret: async (id, { stage, versionId }) => {
        const other = others[`${id} ${stage}`] ?? (stage === "AWSCURRENT" && others[id]);
        if (other) return { value: other, versionId: "only" };
        if (id !== arn) return undefined;
        const holder = stage === undefined ? versionId : holders.get(stage);
        if (versionId !== undefined && holder !== versionId)
          throw new ConfigError("InvalidRequestException: that label is on another version");
        const found = values.get(holder ?? "");
        return found && { value: found, versionId: holder ?? "" };
      },
      putPending: async (_, given, { token }) => {
        const before = values.get(token);
        if (before !== undefined && before !== given)
          throw new ConfigError("ResourceExistsException");
        values.set(token, given);
        known.add(token);
        move("AWSPENDING", token);
      },
      moveLabel: async (_, label, { from, to }) => {
        const holder = holders.get(label);
        if (holder !== from)
          throw new ConfigError("InvalidParameterException: not on that version");
        if (to === undefined) holders.delete(label);
        else if (values.has(to)) move(label, to);
        else throw new ConfigError("InvalidRequestException: that version has no value");
      },
    },
  };
}
