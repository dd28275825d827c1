import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TempFolder, tempFolder } from "../temp-folder.ts";
import type { EmbeddedPostgres } from "./postgres.ts";

/** The authorities of several servers in one file, as `NODE_EXTRA_CA_CERTS` and libpq want them. */
export class Authorities {
  #folder: TempFolder | undefined;

  /** A file for these servers; `undefined` for none. */
  fileFor(servers: readonly EmbeddedPostgres[]): string | undefined {
    const [only] = servers;
    if (servers.length < 2) return only?.caFile;
    this.#folder ??= tempFolder("authorities");
    const path = join(this.#folder.path, "authorities.pem");
    writeFileSync(path, servers.map(({ ca }) => ca).join("\n"));
    return path;
  }

  remove(): void {
    this.#folder?.remove();
  }
}
