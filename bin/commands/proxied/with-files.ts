import { compileContent } from "../../../client/agent/files/content.ts";
import { systemTime } from "../../../client/time.ts";
import { readAuthorities } from "../../proxy/authorities.ts";
import { type FileOptions, filesIn } from "../../proxy/file-options.ts";
import { type Log, logEvents } from "../../proxy/log-events.ts";
import { openFiles } from "../../proxy/open-files.ts";
import { ownFiles } from "../../proxy/own-files.ts";
import { RepeatedCommand } from "../../proxy/run-again.ts";
import { type CommandToRun, runCommand } from "../../proxy/run-command.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { holdWanted, type LeaseRun } from "./hold-wanted.ts";

export interface FilesRun extends LeaseRun {
  readonly files: FileOptions;
  /** End the command and start it again when its lease is replaced. */
  readonly restartsOnChange: boolean;
  readonly command: CommandToRun;
  readonly log: Log;
}

/**
 * Take a lease, write it to files, run a command, remove the files and revoke the lease.
 *
 * @throws ExitStatus with the status of the command, unless it is 0; Failure for files that are
 *   somebody else's or cannot be written, before the command is run.
 */
export async function runWithFiles(run: FilesRun): Promise<void> {
  const { command, log } = run;
  const authorities = readAuthorities(run.options.ca);
  const files = filesIn(run.files, run.name ?? "lease");
  try {
    // a mistake is found before there is a lease
    for (const file of files) await compileContent(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Failure(Exit.config, error.message, { cause: error });
  }
  using _own = ownFiles(files.map(({ path }) => path));
  await holdWanted(run, async ({ keeper, wanted, signals }, stopping) => {
    const repeated = run.restartsOnChange ? new RepeatedCommand(systemTime) : undefined;
    await using _ = await openFiles(
      {
        keeper,
        name: wanted.name,
        files,
        authorities,
        onEvent: logEvents(keeper, log),
        onChange: () => repeated?.askAgain(),
      },
      stopping,
    );
    return await (repeated?.run(command, signals) ?? runCommand(command, signals));
  });
}
