import type { ScheduleInput } from "../../core/leases/lease-ports.ts";
import { type MemoryScheduler, memoryScheduler } from "./memory-scheduler.ts";

export interface FiringScheduler extends MemoryScheduler {
  /** Nothing fires any more. */
  stop(): void;
}

/** A scheduler whose schedules fire once, to the second, and are gone then. */
export function firingScheduler(fire: (input: ScheduleInput) => void): FiringScheduler {
  const memory = memoryScheduler();
  const timers = new Map<string, NodeJS.Timeout>();
  return {
    ...memory,
    create: async (name, atEpochSeconds, input) => {
      const made = await memory.create(name, atEpochSeconds, input);
      if (made === "made") {
        const timer = setTimeout(
          () => {
            timers.delete(name);
            void memory.remove(name);
            fire(input);
          },
          atEpochSeconds * 1_000 - Date.now(),
        );
        timers.set(name, timer);
      }
      return made;
    },
    remove: async (name) => {
      clearTimeout(timers.get(name));
      timers.delete(name);
      await memory.remove(name);
    },
    stop: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
