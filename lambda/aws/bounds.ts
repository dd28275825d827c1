/**
 * AWS answers in milliseconds or not at all. Without these bounds the SDK waits forever if there is
 * no route, and the function would time out after creating a lease, or before revoking one.
 */
export const AWS_BOUNDS = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_500, requestTimeout: 3_000, throwOnRequestTimeout: true },
};
