import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TempFolder, tempFolder } from "../temp-folder.ts";
import type { EmbeddedPostgres } from "./postgres.ts";

/** The authorities of several servers in one file, for `NODE_EXTRA_CA_CERTS` and libpq. */
export class Authorities {
  #folder: TempFolder | undefined;

  /** The file for these servers. Undefined if there are none. */
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
