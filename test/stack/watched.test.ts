import { afterAll } from "vitest";
import { stopWatched } from "./watched/stack.ts";
import "./watched/audit-events.ts";
import "./watched/metrics.ts";

// They share one stack, in this order: the second lets its server die.
afterAll(stopWatched);
