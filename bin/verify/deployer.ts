import type { PricedTemplate } from "../cost/monthly-cost.ts";

/** Deploys and destroys the sandbox of a run without `--stack`. */
export interface Deployer {
  readonly stackName: string;
  readonly consumer: string;
  readonly role: string;
  /** Write the stack's templates. Nothing is deployed. */
  synthesize(signal: AbortSignal): Promise<readonly PricedTemplate[]>;
  /** Deploy: the first time as synthesized, then with a changed configuration. */
  deploy(signal: AbortSignal): Promise<void>;
  destroy(): Promise<void>;
  /** Remove the files on this machine. Safe to repeat. */
  removeFiles(): void;
}
