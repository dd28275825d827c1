import type { SecretObject, SecretStore } from "../../core/secret-store.ts";

/** A {@link SecretStore} in memory, with the staging labels of Secrets Manager. */
export interface MemorySecrets extends SecretStore {
  /** How many versions were ever put. */
  puts(): number;
  /** Put a version under a staging label, and leave all others alone, as a rotation does. */
  label(arn: string, stage: string, value: SecretObject): void;
}

interface Held {
  readonly versions: Map<string, SecretObject>;
  readonly stages: Map<string, string>;
}

/** A store that holds these secrets, each with one version, as CDK makes them. */
export function memorySecrets(initial: Readonly<Record<string, SecretObject>>): MemorySecrets {
  const secrets = new Map<string, Held>();
  let puts = 0;
  const put = (arn: string, value: SecretObject, versionId: string): void => {
    const held = secrets.get(arn) ?? { versions: new Map(), stages: new Map() };
    const current = held.stages.get("AWSCURRENT");
    if (current !== undefined) held.stages.set("AWSPREVIOUS", current);
    held.stages.set("AWSCURRENT", versionId);
    held.versions.set(versionId, value);
    secrets.set(arn, held);
  };
  for (const [arn, value] of Object.entries(initial)) put(arn, value, "initial");
  return {
    puts: () => puts,
    label: (arn, stage, value) => {
      const held = secrets.get(arn) ?? { versions: new Map(), stages: new Map() };
      const versionId = `${stage}-${held.versions.size}`;
      held.versions.set(versionId, value);
      held.stages.set(stage, versionId);
      secrets.set(arn, held);
    },
    getSecret: async (arn, { stage, versionId } = {}) => {
      const held = secrets.get(arn);
      const id = versionId ?? held?.stages.get(stage ?? "AWSCURRENT") ?? "";
      const value = held?.versions.get(id);
      return value === undefined ? undefined : { value, versionId: id };
    },
    putSecret: async (arn, value, { clientRequestToken }) => {
      puts += 1;
      put(arn, value, clientRequestToken);
    },
  };
}
