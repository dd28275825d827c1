import { type ShippedStack, startShipped } from "../../support/stack.ts";

/** The shipped stack, in which a rotation that failed is not attempted again by itself. */
export interface RotatedStack {
  readonly stack: ShippedStack;
  /** What Secrets Manager has called rotators with. */
  readonly events: readonly Readonly<Record<string, string>>[];
}

let started: Promise<RotatedStack> | undefined;

/** One for all parts of the test file, after the rotations that a deployment begins. */
export const rotated = (): Promise<RotatedStack> => (started ??= start());

export const stopRotated = async (): Promise<void> => (await started)?.stack.stop();

async function start(): Promise<RotatedStack> {
  const events: Record<string, string>[] = [];
  const stack = await startShipped({
    rotationRetrySeconds: 600,
    onInvoke: (_, payload) => {
      const event = JSON.parse(payload) as Record<string, string>;
      if ("RotationToken" in event) events.push(event);
      return "run";
    },
  });
  await stack.runner.rotations.finished();
  return { stack, events };
}
