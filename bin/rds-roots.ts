import { join } from "node:path";

/**
 * The folder with the roots of RDS by Region, as the build writes them. In the package this
 * file is in a bundle of the same folder.
 */
export const RDS_ROOTS = join(import.meta.dirname, "..", "dist", "rds-ca");
