import * as v from "valibot";
import { type Field, text } from "./fields.ts";

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** A length of time such as `"15m"`. Returns seconds. */
export const writtenLength: Field<string, number> = v.pipe(
  text(/^\d{1,9}[smhd]$/, "is not a duration", 'write a number and s, m, h or d, e.g. "1h"'),
  v.transform(
    (written) => Number(written.slice(0, -1)) * SECONDS[written.slice(-1) as keyof typeof SECONDS],
  ),
);
