import { DEFAULT_PASSWORD_POLICY, type RotationSettings } from "../../core/rotation/settings.ts";

/** Settings of the rotated secret `app` of the database `orders`, whose user is `app`. */
export const SINGLE_USER: RotationSettings = {
  database: "orders",
  tag: "abcd",
  secret: "app",
  strategy: "single-user",
  usernames: ["app"],
  tls: "verify-full",
  password: DEFAULT_PASSWORD_POLICY,
  testQueries: [],
};
