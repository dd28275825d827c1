import type { PricedTemplate } from "../cost/monthly-cost.ts";

/** Deploys and destroys one stack: the sandbox that a run without `--stack` looks at. */
export interface Deployer {
  readonly stackName: string;
  readonly consumer: string;
  readonly role: string;
  /** Write the stack's templates. Nothing is deployed. */
  synthesize(signal: AbortSignal): Promise<readonly PricedTemplate[]>;
  /** The first time as it was synthesized; then with a changed configuration. */
  deploy(signal: AbortSignal): Promise<void>;
  destroy(): Promise<void>;
  /** Remove what is on this machine. Safe to repeat. */
  removeFiles(): void;
}
