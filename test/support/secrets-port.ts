import type { AgentEvent } from "../../client/agent/agent-events.ts";
import { publish } from "../../client/agent/publication.ts";
import {
  type SecretsPort,
  type SecretsPortOptions,
  startSecretsPort,
} from "../../client/agent/secrets-manager/secrets-port.ts";
import type { Login } from "../../client/keeper/keeper.ts";
import { systemTime } from "../../client/time.ts";
import { Secret } from "../../core/secret.ts";
import { hours, type Instant, minutes } from "../../core/time.ts";
import { FakeKeeper } from "./fake-keeper.ts";

export const PORT_TOKEN = "Tk-0123456789_abcdefghijklmnopqr";

/** What must be in no answer to a stranger, and in no event. */
export const PASSWORD = "pass&<>\"'=\\word";

export const loginOf = (number: number): Login => ({
  id: `orders/readonly/mf_${number}`,
  username: `mf_${number}`,
  password: new Secret(`${PASSWORD}${number}`),
  host: "db.example",
  port: 5432,
  dbname: "orders",
  tls: "verify-full",
});

/** A rotated secret, with a key that Mayfly does not know. */
export const ROTATED_TEXT = `{"username":"app","password":"${"x".repeat(16)}","custom": 1}`;
const rotated: Login = {
  ...loginOf(0),
  id: "reports#v7",
  version: { id: "v7-0123456789-0123456789-01234567", text: new Secret(ROTATED_TEXT) },
};

export interface ServedSecrets extends AsyncDisposable {
  readonly port: SecretsPort;
  readonly events: AgentEvent[];
  readonly orders: FakeKeeper;
  /** Looks at the server, and logins that were asked for. */
  readonly taken: () => number;
}

/** A port with the lease `orders-db`, whose keeper the test has, and the rotated secret `reports`. */
export async function servedSecrets(
  options: Partial<SecretsPortOptions> = {},
): Promise<ServedSecrets> {
  let taken = 0;
  const orders = new CountedKeeper(loginOf(1), () => {
    taken += 1;
  });
  orders.overlap = minutes(65);
  orders.setEnd(loginOf(1), (Date.now() + hours(24)) as Instant);
  const look = async (): Promise<void> => {
    taken += 1;
  };
  const publications = [
    publish({ name: "orders/readonly", keeper: orders, look, time: systemTime }),
    publish({ name: "reports", keeper: new FakeKeeper(rotated), look, time: systemTime }),
  ] as const;
  const events: AgentEvent[] = [];
  const port = await startSecretsPort({
    port: 0,
    token: new Secret(PORT_TOKEN),
    isPrivate: false,
    secrets: new Map([
      ["orders-db", publications[0]],
      ["reports", publications[1]],
    ]),
    onEvent: (event) => events.push(event),
    time: systemTime,
    ...options,
  });
  return {
    port,
    events,
    orders,
    taken: () => taken,
    [Symbol.asyncDispose]: async () => {
      await port[Symbol.asyncDispose]();
      for (const each of publications) await each[Symbol.asyncDispose]();
    },
  };
}

class CountedKeeper extends FakeKeeper {
  readonly #onCurrent: () => void;

  constructor(first: Login, onCurrent: () => void) {
    super(first);
    this.#onCurrent = onCurrent;
  }

  override current(signal?: AbortSignal): Promise<Login> {
    this.#onCurrent();
    return super.current(signal);
  }
}
