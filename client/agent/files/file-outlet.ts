import type { ClientTime } from "../../time.ts";
import type { AgentEvent } from "../agent-events.ts";
import type { FileConfiguration } from "../configuration.ts";
import type { Publication } from "../publication.ts";
import type { Changes } from "./changes/changes.ts";

export interface FileOutletOptions {
  readonly file: FileConfiguration;
  /** Of the logins that the file is made of. */
  readonly publications: readonly Publication[];
  /** PEM of the authorities that a host's certificate is checked by, for the format `ca`. */
  readonly authoritiesOf: (host: string) => string;
  /** Runs what follows a change. Files with the same command share its runs by sharing this. */
  readonly changes: Changes;
  readonly onEvent: (event: AgentEvent) => void;
  readonly time: ClientTime;
}

/** A file that follows its logins. Disposing stops that: what is in the file stays. */
export interface FileOutlet extends AsyncDisposable {
  readonly path: string;
  /** Whether it has the newest logins in it. */
  readonly isCurrent: boolean;
  /**
   * Resolves when it was written with the first logins, and its command has ended, well or not. It
   * stays pending while writing fails: that is told as `file-failed` and tried again.
   */
  readonly written: Promise<void>;
  /** Stop, and remove the file. Never throws: a file that is gone is no failure, others are told. */
  remove(): Promise<void>;
}
