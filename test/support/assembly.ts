import { App } from "aws-cdk-lib";
import { parseConfig } from "../../config/config.ts";
import { MayflyStack } from "../../lib/index.ts";

/**
 * Synthesize a configuration in this process, which loads the CDK once, with the functions that the
 * run has built.
 *
 * @param outdir the folder of the assembly.
 * @param change what is done to the stack before. @default - nothing
 */
export function synthesizeHere(
  outdir: string,
  config: unknown,
  change: (stack: MayflyStack) => void = () => undefined,
): MayflyStack {
  const app = new App({ outdir });
  const stack = new MayflyStack(app, "Mayfly", { config: parseConfig(config) });
  change(stack);
  app.synth();
  return stack;
}
