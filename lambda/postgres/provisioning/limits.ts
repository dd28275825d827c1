import { seconds } from "../../../core/time.ts";
import type { Limits } from "../connection/login.ts";

/** Generous: statements queue behind an application's, and a database is copied. */
export const LIMITS: Limits = { connect: seconds(10), statement: seconds(60), lock: seconds(10) };

/** A reader is asked once, and what it does not answer in time is said. */
export const READER_LIMITS: Limits = {
  connect: seconds(5),
  statement: seconds(10),
  lock: seconds(2),
};
