import type { CallerFact } from "../../core/doctor/identity/identity-facts.ts";
import type { Instant } from "../../core/time.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A request to what is beside the workload: agents and metadata. */
export interface NearRequest {
  readonly url: string;
  readonly method: "GET" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
}

export interface NearAnswer {
  readonly status: number;
  readonly body: string;
  /** Of the header `Date`. */
  readonly date?: Instant;
}

/** No answer. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** Node's, e.g. `ECONNREFUSED`; `ETIMEDOUT` when nothing came within a second. */
  readonly code: string;
  /** The other side accepted the connection. */
  readonly isConnected: boolean;

  constructor(code: string, isConnected: boolean) {
    super(`no answer (${code})`);
    this.code = code;
    this.isConnected = isConnected;
  }
}

/** What the doctor sees of where it runs. */
export interface DoctorPorts {
  readonly env: Environment;
  readonly now: () => Instant;
  /** @throws the operating system's error, with its code. */
  readonly readFile: (path: string) => Promise<string>;
  /** GetCallerIdentity by the SDK's default chain. Never rejects. */
  readonly callerIdentity: (region: string | undefined) => Promise<CallerFact>;
  /** @throws NoAnswer */
  readonly request: (request: NearRequest) => Promise<NearAnswer>;
  /** The user's folder. */
  readonly home: string;
}
