/** `1.2.3`, without a prefix. */
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;

const UNRELEASED = "## Unreleased\n";

/** The text under the heading of a version, or of Unreleased. */
export function sectionOf(changelog: string, version: string): string | undefined {
  const heading = new RegExp(`^## ${version.replaceAll(".", "\\.")}(?: - .*)?$`, "m");
  const at = heading.exec(changelog);
  if (at === null) return undefined;
  const [text = ""] = changelog.slice(at.index + at[0].length).split(/^## /m);
  return text.trim();
}

function numbersOf(version: string): readonly number[] {
  const numbers = VERSION.exec(version)?.slice(1).map(Number);
  if (numbers === undefined) throw new Error(`"${version}" is not a version; write it as in 0.2.0`);
  return numbers;
}

/** Whether `next` is one step from `version`: the next patch, minor or major version. */
function isNext(next: string, version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = numbersOf(version);
  return [`${major + 1}.0.0`, `${major}.${minor + 1}.0`, `${major}.${minor}.${patch + 1}`].includes(
    next,
  );
}

/**
 * The changelog with the unreleased text under a version.
 *
 * @param current the version before. If it is the same, this is the first release.
 * @param date ISO 8601, the day alone.
 * @throws Error if there is nothing to release, or the version is not the next one.
 */
export function released(
  changelog: string,
  {
    current,
    next,
    date,
  }: { readonly current: string; readonly next: string; readonly date: string },
): string {
  numbersOf(next);
  const isFirst = next === current && sectionOf(changelog, current) === undefined;
  if (!isFirst && !isNext(next, current))
    throw new Error(`${next} does not follow ${current}; raise one of its numbers by one`);
  if (!changelog.includes(UNRELEASED) || !sectionOf(changelog, "Unreleased"))
    throw new Error('CHANGELOG.md has nothing under "## Unreleased"; say what has changed');
  return changelog.replace(UNRELEASED, `${UNRELEASED}\n## ${next} - ${date}\n`);
}

/** The parts of a release that must agree. */
export interface Release {
  /** The tag that started the release. */
  readonly tag: string;
  /** URL of the repository that builds it, e.g. `https://github.com/acme/mayfly`. */
  readonly repository: string;
  readonly manifest: {
    readonly version: string;
    readonly repository: { readonly url: string };
  };
  readonly changelog: string;
}

/** The reasons why a release must not be published, one line each; empty if it may. */
export function problemsOf({ tag, repository, manifest, changelog }: Release): readonly string[] {
  const { version } = manifest;
  const named = `git+${repository}.git`;
  return [
    ...(tag === `v${version}` ? [] : [`the tag is ${tag}, and package.json says ${version}`]),
    ...(sectionOf(changelog, version) ? [] : [`CHANGELOG.md has nothing under "## ${version}"`]),
    ...(manifest.repository.url === named
      ? []
      : [
          `package.json: repository: "${manifest.repository.url}" is not "${named}"; npm refuses to say where a package was built when it names another place`,
        ]),
  ];
}
