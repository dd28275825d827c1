import type { ClientTime } from "../../time.ts";
import type { AgentEvent } from "../agent-events.ts";
import type { FileConfiguration } from "../configuration.ts";
import type { Publication } from "../publication.ts";

export interface FileOutletOptions {
  readonly file: FileConfiguration;
  /** Of the logins that the file is made of. */
  readonly publications: readonly Publication[];
  /** PEM of the authorities that a host's certificate is checked by, for the format `ca`. */
  readonly authoritiesOf: (host: string) => string;
  readonly onEvent: (event: AgentEvent) => void;
  readonly time: ClientTime;
}

/** A file that follows its logins. */
export interface FileOutlet extends AsyncDisposable {
  readonly path: string;
  /** Whether it has the newest logins in it. */
  readonly isCurrent: boolean;
  /** Resolves when it was written with the first logins, and its command has ended. */
  readonly written: Promise<void>;
}
