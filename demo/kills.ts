import type { OnInvoke } from "../local/lambda/lambda-pool.ts";

/** Functions of this machine that are killed when they have done a step of a rotation. */
export interface Kills {
  /** Kill the function that rotates a secret after the next such step: its answer is lost. */
  after(step: string, secretArn: string): void;
  /** How many were killed. */
  readonly count: number;
  /** For the runner. */
  readonly onInvoke: OnInvoke;
}

export function makeKills(): Kills {
  const ordered = new Set<string>();
  let count = 0;
  return {
    get count() {
      return count;
    },
    after: (step, secretArn) => void ordered.add(`${step} ${secretArn}`),
    onInvoke: (_, payload) => {
      const { Step, SecretId } = JSON.parse(payload) as { Step?: string; SecretId?: string };
      if (!ordered.delete(`${Step} ${SecretId}`)) return "run";
      count += 1;
      return "kill-after";
    },
  };
}
