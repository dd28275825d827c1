import { join } from "node:path";

/** For the processes that a run starts. Without it, half of a start is compiling the same code again. */
export const COMPILE_CACHE =
  process.env.NODE_COMPILE_CACHE ?? join(import.meta.dirname, "../node_modules/.cache/node");
