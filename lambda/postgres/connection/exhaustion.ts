import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { EXHAUSTED } from "./sqlstates.ts";

/** Which metric counts it. */
export type Exhaustion = (typeof EXHAUSTED)[keyof typeof EXHAUSTED];

/**
 * A channel, because who meets it seldom answers for it: a reader that is left out, one lease among
 * many, and an attempt that is made again end in no error of the request.
 */
const met = channel("mayfly.exhaustion");

/** Say that a SQLSTATE was met; one that speaks of no exhaustion says nothing. */
export function noteExhaustion(code: string | undefined): void {
  const exhaustion = (EXHAUSTED as Readonly<Record<string, Exhaustion>>)[code ?? ""];
  if (exhaustion !== undefined) met.publish(exhaustion);
}

/** Be told each time that a server of this process had no room. @returns what ends that. */
export function onExhaustion(listener: (exhaustion: Exhaustion) => void): () => void {
  const receive = (message: unknown): void => listener(message as Exhaustion);
  subscribe(met.name, receive);
  return () => unsubscribe(met.name, receive);
}
