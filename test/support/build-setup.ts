import { execFileSync } from "node:child_process";

/** Build the bundles once per run: the tests run the very files that are deployed. */
export default function setup(): void {
  execFileSync(process.execPath, ["build.ts"], { stdio: ["ignore", "ignore", "inherit"] });
}
