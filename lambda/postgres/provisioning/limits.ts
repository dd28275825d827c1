import { seconds } from "../../../core/time.ts";
import type { Limits } from "../connection/login.ts";

/** Generous: statements wait for an application's, and a database is copied. */
export const LIMITS: Limits = { connect: seconds(10), statement: seconds(60), lock: seconds(10) };

/** The time limits for readers: one attempt, and a timeout is reported. */
export const READER_LIMITS: Limits = {
  connect: seconds(5),
  statement: seconds(10),
  lock: seconds(2),
};
