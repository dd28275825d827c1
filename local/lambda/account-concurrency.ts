import { AwsError } from "../http/aws-error.ts";
import { throttled } from "./process-limit.ts";

/** The default quota of an account. */
export const DEFAULT_QUOTA = 1_000;
/**
 * What reservations must leave to the functions without one: "at least 100 simultaneous executions
 * unreserved" (PutFunctionConcurrency, AWS Lambda API Reference). An account with a smaller quota
 * can reserve nothing: new accounts have 10 or 50, and Lambda's error then says "its minimum value
 * of [10]" or "[50]", as those who met it quote it (aws-samples/s3-to-lambda-patterns, issue 36).
 */
const LEAST_UNRESERVED = 100;

/** The concurrent calls of an account's functions. */
export class AccountConcurrency {
  readonly #quota: number;
  readonly #reserved = new Map<string, number>();
  #unreservedCalls = 0;

  constructor(quota: number = DEFAULT_QUOTA) {
    this.#quota = quota;
  }

  /**
   * Reserve concurrency for a function, or end its reservation.
   *
   * @throws AwsError `InvalidParameterValueException` if too little would be left for others; the
   *   function keeps its former reservation.
   */
  reserve(functionName: string, executions: number | undefined): void {
    const others = this.#sum() - (this.#reserved.get(functionName) ?? 0);
    const least = Math.min(LEAST_UNRESERVED, this.#quota);
    if (executions !== undefined && executions > 0 && this.#quota - others - executions < least)
      throw new AwsError(
        "InvalidParameterValueException",
        `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${least}].`,
        { status: 400 },
      );
    if (executions === undefined) this.#reserved.delete(functionName);
    else this.#reserved.set(functionName, executions);
  }

  /**
   * Run a call of a function without a reservation.
   *
   * @throws AwsError `TooManyRequestsException` if all such functions together are at the limit.
   */
  async runUnreserved<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#unreservedCalls >= this.#quota - this.#sum())
      throw throttled("ConcurrentInvocationLimitExceeded");
    this.#unreservedCalls++;
    try {
      return await task();
    } finally {
      this.#unreservedCalls--;
    }
  }

  #sum(): number {
    return [...this.#reserved.values()].reduce((sum, each) => sum + each, 0);
  }
}
