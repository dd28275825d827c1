import { Exit, Failure } from "../terminal/exit.ts";

/** A port of an option. @throws Failure if it is none. */
export function portIn(option: string, text: string | undefined): number {
  const port = Number(text ?? 0);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535 && text !== "") return port;
  throw new Failure(Exit.usage, `${option}: ${JSON.stringify(text)} is no port; give 1 to 65535`);
}
