import { readFileSync } from "node:fs";
import { join } from "node:path";
import tls from "node:tls";

/**
 * PEMs of the authorities that servers are trusted by, for all hosts or by host. Undefined: those
 * of Node, `NODE_EXTRA_CA_CERTS` included.
 */
export type TrustedRoots = readonly string[] | RootsOfHost;

/** The same of one host. */
export type RootsOfHost = (host: string) => readonly string[] | undefined;

const RDS_HOST = /\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?$/;

/** The Region of a host of RDS, e.g. `db.c1a2b3.eu-west-1.rds.amazonaws.com`. */
export const regionOfHost = (host: string): string | undefined =>
  RDS_HOST.exec(host.toLowerCase())?.[1];

/** Where roots come from. */
export interface RootSources {
  /**
   * The roots of RDS: a folder with `<region>.pem`, as the build writes them, or the PEMs by Region.
   */
  readonly rds: string | Readonly<Record<string, string>>;
  /** PEM of the authorities to trust instead, for any host. */
  readonly ca?: string | undefined;
}

/**
 * What to trust: the configured authorities, else RDS's of the host's Region, each with those that
 * `NODE_EXTRA_CA_CERTS` names; for other hosts what Node trusts. Files are read at the first need.
 */
export function makeTrustedRoots({ rds, ca }: RootSources): RootsOfHost {
  const read = new Map<string, string | undefined>();
  const rootsOf = (region: string): string | undefined => {
    if (typeof rds !== "string") return rds[region];
    if (!read.has(region)) read.set(region, readIfThere(join(rds, `${region}.pem`)));
    return read.get(region);
  };
  return (host) => {
    const region = regionOfHost(host);
    const roots = ca ?? (region === undefined ? undefined : rootsOf(region));
    // not a named import: older versions of Node, which do not have it, load this file too
    return roots === undefined ? undefined : [roots, ...tls.getCACertificates("extra")];
  };
}

/** PEM of what a host is trusted by, for programs that connect to it themselves. */
export const authoritiesOf = (roots: RootsOfHost, host: string): string =>
  (roots(host) ?? tls.getCACertificates("default")).join("\n");

/** A Region that is younger than the build has no file. Its servers are then of no known root. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
