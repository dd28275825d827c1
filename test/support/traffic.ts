import type pg from "pg";

/** A statement that failed. Times are of `performance.now()`. */
export interface FailedStatement {
  readonly began: number;
  /** The SQLSTATE, or a socket's error code. */
  readonly code: string | undefined;
  readonly message: string;
}

/** Statements at a steady pace, whether or not those before were answered. */
export class Traffic {
  readonly failed: FailedStatement[] = [];
  readonly users = new Set<string>();
  answered = 0;
  readonly #pool: pg.Pool;
  readonly #perSecond: number;
  readonly #running = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(pool: pg.Pool, perSecond: number) {
    this.#pool = pool;
    this.#perSecond = perSecond;
  }

  start(): void {
    const began = performance.now();
    let begun = 0;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - began) / 1_000) * this.#perSecond;
      for (; begun < due; begun++) this.#begin();
    }, 5);
  }

  /** Begin no further statement, and wait for the answers of the others. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  #begin(): void {
    const statement = this.#ask().finally(() => this.#running.delete(statement));
    this.#running.add(statement);
  }

  async #ask(): Promise<void> {
    const began = performance.now();
    try {
      const { rows } = await this.#pool.query<{ current_user: string }>(
        "select current_user from public.orders where id >= $1 limit 1",
        [0],
      );
      this.users.add(rows[0]?.current_user ?? "");
      this.answered += 1;
    } catch (error) {
      const { code, message } = error as Error & { readonly code?: string };
      this.failed.push({ began, code, message });
    }
  }
}
