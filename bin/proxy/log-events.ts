import type { Keeper } from "../../client/keeper/keeper.ts";
import { systemTime } from "../../client/time.ts";
import { jsonLine, type LogEvent, type LogLine, lineOf } from "./proxy-log.ts";

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
  const tell = (event: LogEvent): void => writeLine(log, event.kind, lineOf(event));
  keeper.on("renewed", (told) => tell({ kind: "renewed", ...told }));
  keeper.on("replaced", (told) => tell({ kind: "replaced", ...told }));
  keeper.on("failing", (told) => tell({ kind: "failing", ...told }));
  keeper.on("lost", (told) => tell({ kind: "lost", ...told }));
  return tell;
}

/** Write a line of a log. */
export function writeLine(log: Log, event: string, line: LogLine): void {
  if (!log.withInfo && line.level === "info") return;
  // clients choose names that are in it, also those who do not know the password
  const words = `mayfly: ${line.words.replaceAll("\n", "\\n")}`;
  log.write(log.asJson ? jsonLine(event, line, systemTime.now()) : words);
}
