import { setTimeout } from "node:timers/promises";
import type { Instant, Time } from "../../core/time.ts";

/** The clock of the machine. */
export const systemTime: Time = {
  now: () => Date.now() as Instant,
  wait: async (length) => {
    await setTimeout(length);
  },
};
