import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { EXHAUSTED } from "./sqlstates.ts";

/** The metric that counts it. */
export type Exhaustion = (typeof EXHAUSTED)[keyof typeof EXHAUSTED];

/**
 * A channel, because exhaustion often does not become an error of the request: a skipped reader,
 * one lease among many, or a retried attempt.
 */
const met = channel("mayfly.exhaustion");

/** Report a SQLSTATE. Ignored if it does not mean exhaustion. */
export function noteExhaustion(code: string | undefined): void {
  const exhaustion = (EXHAUSTED as Readonly<Record<string, Exhaustion>>)[code ?? ""];
  if (exhaustion !== undefined) met.publish(exhaustion);
}

/**
 * Call a listener each time a server had no free connection or lock. @returns a function that stops
 * that.
 */
export function onExhaustion(listener: (exhaustion: Exhaustion) => void): () => void {
  const receive = (message: unknown): void => listener(message as Exhaustion);
  subscribe(met.name, receive);
  return () => unsubscribe(met.name, receive);
}
