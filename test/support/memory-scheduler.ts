import { UnavailableError } from "../../core/errors.ts";
import type { ScheduleInput, Scheduler } from "../../core/leases/lease-ports.ts";

export interface MemoryScheduler extends Scheduler {
  readonly schedules: Map<string, ScheduleInput>;
  /** How many times `create` was called. */
  creates(): number;
  /** Let the next `count` calls of `create` fail. */
  failNext(count: number): void;
}

/** A {@link Scheduler} that fires nothing. */
export function memoryScheduler(): MemoryScheduler {
  const schedules = new Map<string, ScheduleInput>();
  let creates = 0;
  let failures = 0;
  return {
    schedules,
    creates: () => creates,
    failNext: (count) => {
      failures = count;
    },
    create: async (name, _at, input) => {
      creates += 1;
      if (failures > 0) {
        failures -= 1;
        throw new UnavailableError("Scheduler", "the scheduler is down; wait and retry");
      }
      if (schedules.has(name)) return "exists";
      schedules.set(name, input);
      return "made";
    },
    names: async () => [...schedules.keys()],
    read: async (name) => schedules.get(name),
    remove: async (name) => {
      schedules.delete(name);
    },
  };
}
