import type {
  CredentialVariables,
  Platform,
} from "../../../core/doctor/identity/identity-facts.ts";
import type { Environment } from "../doctor-ports.ts";

/** What the environment says of credentials. Keys and tokens are not copied. */
export function credentialVariables(
  env: Environment,
  rest: {
    /** Undefined where the environment shall tell. */
    readonly platform?: Platform;
    readonly hasDefaultProfile: boolean;
    /** Where AWS_REGION is not set. */
    readonly region?: string | undefined;
  },
): CredentialVariables {
  const set = (name: string): string | undefined => env[name] || undefined;
  const region = set("AWS_REGION") ?? rest.region;
  const profile = set("AWS_PROFILE") ?? (rest.hasDefaultProfile ? "default" : undefined);
  const texts = {
    profile,
    region,
    roleArn: set("AWS_ROLE_ARN"),
    tokenFile: set("AWS_WEB_IDENTITY_TOKEN_FILE"),
    fullUri: set("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    relativeUri: set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    stsEndpoints: set("AWS_STS_REGIONAL_ENDPOINTS"),
  };
  const off = set("AWS_EC2_METADATA_DISABLED");
  return {
    platform: rest.platform ?? platformOf(env),
    keys: keysIn(env),
    isMetadataOff: off !== undefined && off !== "false",
    ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== undefined)),
  };
}

/** Where EKS's webhook projects a token: a runner's pod, whose role its jobs have. */
const OF_POD = "/var/run/secrets/eks.amazonaws.com/";

export function platformOf(env: Environment): Platform {
  if (env.AWS_LAMBDA_FUNCTION_NAME) return "lambda";
  // keys go before it: a step of the job has taken another role
  const hasPodRole =
    keysIn(env) === "none" &&
    (env.AWS_CONTAINER_CREDENTIALS_FULL_URI !== undefined ||
      env.AWS_WEB_IDENTITY_TOKEN_FILE?.startsWith(OF_POD) === true);
  if (env.GITHUB_ACTIONS === "true" && !hasPodRole) return "github";
  if (env.GITLAB_CI === "true" && !hasPodRole) return "gitlab";
  if (env.KUBERNETES_SERVICE_HOST) return "kubernetes";
  return env.ECS_CONTAINER_METADATA_URI_V4 || env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    ? "ecs"
    : "other";
}

/** The SDK wants both. */
function keysIn(env: Environment): CredentialVariables["keys"] {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = env;
  if (!id || !secret) return "none";
  return id.startsWith("AKIA") ? "permanent" : "temporary";
}
