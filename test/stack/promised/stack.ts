import { type ShippedStack, startShipped } from "../../support/stack.ts";

let started: Promise<ShippedStack> | undefined;

/** One stack for all parts of the test file, after the rotations that a deployment begins. */
export const promised = (): Promise<ShippedStack> => (started ??= start());

export const stopPromised = async (): Promise<void> => (await started)?.stop();

async function start(): Promise<ShippedStack> {
  const stack = await startShipped({ duplicateDeliveries: true });
  await stack.runner.rotations.finished();
  return stack;
}
