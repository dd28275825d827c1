import { join } from "node:path";

/**
 * The folder with the roots of RDS by Region, as the build writes them. In the package this
 * file is in a bundle of the same folder. The agent of one file has the roots themselves in it.
 */
export const RDS_ROOTS: string | Readonly<Record<string, string>> = join(
  import.meta.dirname,
  "..",
  "dist",
  "rds-ca",
);
