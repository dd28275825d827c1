/** An error that a client of AWS would see: a code for programs, a message in AWS's words. */
export class AwsError extends Error {
  readonly code: string;
  /** The HTTP status; `undefined` leaves it to the service's protocol. */
  readonly status: number | undefined;
  /** Further members of the error's body, if the service has them. */
  readonly details: Readonly<Record<string, string>>;

  constructor(
    code: string,
    message: string,
    options: { readonly status?: number; readonly details?: Record<string, string> } = {},
  ) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = options.status;
    this.details = options.details ?? {};
  }
}

/** The answer to an operation that the local runner does not have. */
export const notImplemented = (service: string, operation: string): AwsError =>
  new AwsError("NotImplemented", `the local runner does not implement ${service}:${operation}`, {
    status: 501,
  });

/** @throws AwsError `NotImplemented` for the first of these members that a request has. */
export function refuseMembers(
  service: string,
  operation: string,
  input: object,
  members: readonly string[],
): void {
  const found = members.find((name) => Reflect.get(input, name) !== undefined);
  if (found !== undefined) throw notImplemented(service, `${operation} with ${found}`);
}

/** The answer to a request with a missing or invalid member. */
export const validationError = (message: string): AwsError =>
  new AwsError("ValidationException", message, { status: 400 });
