import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * The folder with the roots of RDS, `<region>.pem`: `rds-ca` beside the file that runs, where a
 * bundler put them; else the package's own.
 */
export function rdsFolder(): string {
  const beside = join(import.meta.dirname, "rds-ca");
  return existsSync(beside) ? beside : join(import.meta.dirname, "../../dist/rds-ca");
}
