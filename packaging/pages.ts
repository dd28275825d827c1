import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";

/** What npm shows in place of the commands of a clone. */
const START = `# Mayfly

\`\`\`sh
npm i mayfly aws-cdk-lib constructs && npx mayfly init    # in an empty folder
npm install && npx cdk synth
\`\`\`

For a CDK app of your own, on Node 22.18 or later. If you have the package as a file, give its path in
place of \`mayfly\`. [docs/package.md](docs/package.md) has the exports, and what they promise.

`;

/** What a reader of the package cannot do, and what to say instead. Each must be in README.md. */
const ONLY_IN_A_CLONE: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/^# Mayfly\n[\s\S]*?(?=^Mayfly gives every workload)/m, START],
  [/^The demo prints this/m, "The [demo](demo/main.ts) in the repository prints this"],
  [/; `npm run synth`\sprints the cost of each piece\./, "."],
  [/npm run build && npx cdk deploy/g, "npx cdk deploy"],
  [/, and run `npm run demo -- --stack Mayfly` there\./, "."],
  [/mayfly\(\) \{ npm run .*\n/, 'mayfly() { npx mayfly "$@"; }\n'],
];

/** README.md as npm shows it. @throws Error if README.md no longer has what is replaced. */
export function packageReadme(readme: string): string {
  return ONLY_IN_A_CLONE.reduce((text, [pattern, instead]) => {
    if (text.search(pattern) === -1)
      throw new Error(`README.md has no ${pattern}; correct packaging/pages.ts`);
    return text.replace(pattern, () => instead);
  }, readme);
}

/**
 * A page whose links lead somewhere from the package too: those to files that only the repository has
 * become addresses there.
 *
 * @param path of the page, in the package and in the repository.
 */
export const withAbsoluteLinks = (
  text: string,
  path: string,
  {
    repository,
    isShipped,
  }: { readonly repository: string; readonly isShipped: (path: string) => boolean },
): string =>
  text.replaceAll(
    /\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)/g,
    (link, target: string, anchor = "") => {
      const file = normalize(join(dirname(path), target));
      return isShipped(file) ? link : `](${repository}/blob/main/${file}${anchor})`;
    },
  );

/** Copy README, changes and docs into the package. @param url as package.json has the repository's. */
export function copyPages(root: string, folder: string, url: string): void {
  const repository = url.replace(/^git\+/, "").replace(/\.git$/, "");
  cpSync(join(root, "docs"), join(folder, "docs"), { recursive: true });
  const isShipped = (path: string): boolean => existsSync(join(folder, path));
  const copy = (name: string, change = (text: string): string => text): void => {
    const text = change(readFileSync(join(root, name), "utf8"));
    writeFileSync(join(folder, name), withAbsoluteLinks(text, name, { repository, isShipped }));
  };
  // first empty, so that the pages find each other
  for (const name of ["README.md", "CHANGELOG.md"]) writeFileSync(join(folder, name), "");
  copy("README.md", packageReadme);
  copy("CHANGELOG.md");
  for (const name of readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }))
    if (name.endsWith(".md")) copy(join("docs", name));
}
