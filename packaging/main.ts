import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assemblePackage } from "./assemble.ts";

const ROOT = join(import.meta.dirname, "..");
const ACCEPTED = join(import.meta.dirname, "api.txt");

const USAGE = `usage: npm run package [-- --accept-api]

Build the functions, and the package that npm would publish, into dist/package/. With --accept-api
what it exports now is what it shall export: packaging/api.txt is written anew.
exit status: 0 built  1 not built, or the exports are not the accepted ones  64 usage`;

const EX_USAGE = 64;

async function main(argv: readonly string[]): Promise<number> {
  const [option, ...rest] = argv;
  if (rest.length > 0 || (option !== undefined && option !== "--accept-api")) {
    console.error(USAGE);
    return option === "--help" ? 0 : EX_USAGE;
  }
  execFileSync(process.execPath, [join(ROOT, "build.ts")], { stdio: "inherit" });
  const { folder, parties, api } = await assemblePackage(join(ROOT, "dist", "package"));
  console.log(`${folder}: with code of ${parties.length} packages`);
  if (option === "--accept-api") writeFileSync(ACCEPTED, api);
  if (api === readFileSync(ACCEPTED, "utf8")) return 0;
  console.error(
    "what the package exports is not what packaging/api.txt says; undo it, or accept it with npm run package -- --accept-api and say it in CHANGELOG.md",
  );
  return 1;
}

process.exitCode = await main(process.argv.slice(2));
