/**
 * AWS answers in milliseconds or not at all. Without these bounds the SDK waits for ever where there
 * is no route, and a lease would be made, or kept, while its function runs out of time.
 */
export const AWS = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_500, requestTimeout: 3_000, throwOnRequestTimeout: true },
};
