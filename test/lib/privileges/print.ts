import { cellsOf, type Privileges, privilegesIn } from "./matrix.ts";
import { services, world } from "./shipped.ts";

/** `npm run privileges`: what IAM decides of each principal of the shipped stack, by simulation. */
let denied = 0;
for (const principal of [...world.roles, ...services]) {
  const cells = await cellsOf(principal, world);
  const may: Privileges = privilegesIn(cells);
  denied += cells.filter(({ decision }) => decision !== "Allowed").length;
  console.log(principal.name);
  for (const [attempt, names] of Object.entries(may))
    console.log(`  ${attempt.padEnd(44)} ${names.join(", ")}`);
  if (Object.keys(may).length === 0) console.log("  nothing");
}
console.log(`\nEverything else is denied: ${denied} attempts.`);
