import { Exit, Failure } from "../terminal/exit.ts";
import { portIn } from "./port-option.ts";

export interface HealthOptions {
  readonly health?: string;
  readonly healthToken?: string;
}

/** Where `/livez` and `/readyz` answer. */
export interface HealthPort {
  readonly port: number;
  /** Of `/readyz`; made if there is none. */
  readonly tokenFile: string;
}

/** @throws Failure if one of the two options is missing, or the port is none. */
export function healthPortIn({ health, healthToken }: HealthOptions): HealthPort | undefined {
  if (health === undefined && healthToken === undefined) return undefined;
  if (health === undefined || healthToken === undefined)
    throw new Failure(
      Exit.usage,
      "--health needs --health-token, and the other way round; give the port and the token's file",
    );
  return { port: portIn("--health", health), tokenFile: healthToken };
}
