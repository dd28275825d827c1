import type { Keeper } from "../../client/keeper/keeper.ts";
import { type ClientTime, systemTime } from "../../client/time.ts";
import { jsonLine, type LogEvent, type LogLine, lineOf } from "./proxy-log.ts";
import { SparedLines } from "./spared-lines.ts";

/** Where the lines of a log go. */
export interface Log {
  /** Prints a line. */
  readonly write: (line: string) => void;
  /** A JSON document a line, instead of words. */
  readonly asJson: boolean;
  /** Without it, only what somebody should do something about. */
  readonly withInfo: boolean;
}

/** Log what a keeper tells. @returns where a proxy's events are told. */
export function logEvents(keeper: Keeper, log: Log): (event: LogEvent) => void {
  const write = lineWriter(log);
  const tell = (event: LogEvent): void => write(event.kind, lineOf(event));
  keeper.on("renewed", (told) => tell({ kind: "renewed", ...told }));
  keeper.on("replaced", (told) => tell({ kind: "replaced", ...told }));
  keeper.on("failing", (told) => tell({ kind: "failing", ...told }));
  keeper.on("lost", (told) => tell({ kind: "lost", ...told }));
  return tell;
}

/** Writes the line of an event, by its kind. */
export type WriteLine = (event: string, line: LogLine) => void;

/** Write the lines of a log, without those of refusals that repeat each other within a minute. */
export function lineWriter(log: Log, time: Pick<ClientTime, "monotonic"> = systemTime): WriteLine {
  const spared = new SparedLines(time);
  return (event, line) => {
    if (!log.withInfo && line.level === "info") return;
    const kept = spared.take(event, line);
    if (kept === undefined) return;
    // clients choose names that are in it, also those who do not know the password
    const words = `mayfly: ${kept.words.replaceAll("\n", "\\n")}`;
    log.write(log.asJson ? jsonLine(event, kept, systemTime.now()) : words);
  };
}
